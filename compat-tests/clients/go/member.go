package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// restart replaces this process by itself with the client's folder in its environment.
func restart(directory string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program to start it again: %w", err)
	}
	environment := append(os.Environ(), offsetDirectory+"="+directory)
	return fmt.Errorf("cannot start %s again: %w", self, syscall.Exec(self, os.Args, environment))
}

// runMember is a consumer process: it prints one line per delivery and goes on until it is killed, or until its input
// ends (the parent died). It exists because a Go client cannot drop its connection without saying goodbye otherwise.
func runMember(target *target, groupAndTopic string) {
	group, topic, _ := strings.Cut(groupAndTopic, ",")
	made, err := consumer.NewPushConsumer(
		consumer.WithNsResolver(target.resolver()), consumer.WithInstance(target.instance()), consumer.WithGroupName(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err == nil {
		err = made.Subscribe(topic, all, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				fmt.Printf("GOT %s\n", m.Body)
			}
			return consumer.ConsumeSuccess, nil
		})
	}
	if err == nil {
		err = made.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	signal.Ignore(syscall.SIGPIPE)
	for input := bufio.NewReader(os.Stdin); ; {
		if _, err := input.ReadByte(); err != nil {
			os.Exit(0)
		}
	}
}

// member is a running consumer process and what it has received.
type member struct {
	process *exec.Cmd
	got     *inbox
}

// startMember starts a consumer process of the group.
func (s *scope) startMember(group, topic string) *member {
	self, err := os.Executable()
	s.must(err, "find this program")
	process := exec.Command(self, "-namesrv", strings.Join(s.nameServers, ";"), "-broker", s.broker, "-member", group+","+topic)
	input, err := process.StdinPipe()
	s.must(err, "pipe to the member")
	output, err := process.StdoutPipe()
	s.must(err, "pipe from the member")
	process.Stderr = os.Stderr
	s.must(process.Start(), "start the member")
	started := &member{process: process, got: newInbox()}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if body, ok := strings.CutPrefix(lines.Text(), "GOT "); ok {
				started.got.put(&primitive.MessageExt{Message: primitive.Message{Body: []byte(body)}})
			}
		}
	}()
	s.onEnd(func() {
		_ = process.Process.Kill()
		<-reading
		_ = process.Wait()
		_ = input.Close()
	})
	return started
}

// kill ends the process at once; the kernel closes its connections.
func (m *member) kill(s *scope) {
	if err := m.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.failf("kill the member: %v", err)
	}
}
