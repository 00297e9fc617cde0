package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func pullCases() []testCase {
	return []testCase{
		{"GP01", groupCore, "a pull of an empty queue is held 20 s and answered with nothing new", heldPullEnds},
		{"GP02", groupCore, "a held pull is answered when a message arrives", heldPullAnswered},
		{"GP04", groupCore, "a pull beyond the end is told the end; one of an empty queue at 5 is told 0", pullBeyondEnd},
		{"GP07", groupCore, "a pull brings at most the asked number, at most 32", pullCount},
		{"GP10", groupCore, "a pull of a queue the topic does not have is refused", pullUnknownQueue},
		{"GP13", groupCore, "a pull of a write-only topic is refused with 16", pullWriteOnly},
		{"GP17", groupCore, "offsets set by hand, read back, persisted and found by the next consumer", pullOffsets},
		{"GP22", groupCore, "poll and acknowledge: each message once, the next consumer goes on after them", pollAndAcknowledge},
		{"GP23", groupCore, "poll with the default batch size of 0 brings every message", pollDefaultBatch},
	}
}

// pulled is the answer to one pull.
type pulled struct {
	result *primitive.PullResult
	err    error
	took   time.Duration
}

// pullFrom pulls one queue in the background.
func (s *scope) pullFrom(with rocketmq.PullConsumer, queue *primitive.MessageQueue, offset int64, count int) chan pulled {
	answer := make(chan pulled, 1)
	go func() {
		began := time.Now()
		result, err := with.PullFrom(s.ctx, queue, offset, count)
		answer <- pulled{result, err, time.Since(began)}
	}()
	return answer
}

// answered waits for a pull that must not fail.
func (s *scope) answered(answer chan pulled, limit time.Duration) pulled {
	select {
	case one := <-answer:
		s.must(one.err, "pull")
		return one
	case <-time.After(limit):
	case <-s.ctx.Done():
	}
	s.failf("a pull was not answered within %s", limit)
	return pulled{}
}

// awaitReadable waits until the message at the offset can be read: a queue's end follows the log's a moment later, and
// until then a pull behind it is beyond the end.
func (s *scope) awaitReadable(with rocketmq.PullConsumer, queue *primitive.MessageQueue, offset int64) {
	s.await(fmt.Sprintf("offset %d is readable", offset), patience, func() (bool, string) {
		status := s.answered(s.pullFrom(with, queue, offset, 1), patience).result.Status
		return status == primitive.PullFound, fmt.Sprint("status ", status)
	})
}

func heldPullEnds(s *scope) {
	topic := s.topic(1)
	with := s.pull(s.group("g"), topic)
	one := s.answered(s.pullFrom(with, s.queueOf(topic, 0), 0, 32), patience)
	equal(s, "status", one.result.Status, primitive.PullNoNewMsg)
	equal(s, "next offset", one.result.NextBeginOffset, 0)
	if one.took < 19*time.Second {
		s.failf("held for %s", one.took)
	}
}

func heldPullAnswered(s *scope) {
	topic := s.topic(1)
	with, from := s.pull(s.group("g"), topic), s.producer()
	s.send(from, primitive.NewMessage(topic, []byte("first")))
	queue := s.queueOf(topic, 0)
	equal(s, "messages at 0", len(s.answered(s.pullFrom(with, queue, 0, 32), patience).result.GetMessageExts()), 1)
	held := s.pullFrom(with, queue, 1, 32)
	select {
	case early := <-held:
		s.failf("the pull at the end was answered at once: %+v", early)
	case <-time.After(1500 * time.Millisecond):
	}
	// A sweep comes by every five seconds: it does not answer five in a row at once. A machine that stands still spoils one.
	for offset, inARow := int64(1), 0; inARow < 5; offset++ {
		if offset == 40 {
			s.failf("arrivals do not end held pulls at once")
		}
		body := fmt.Sprint("message ", offset)
		sent := time.Now()
		s.send(from, primitive.NewMessage(topic, []byte(body)))
		one := s.answered(held, patience)
		if inARow++; time.Since(sent) > time.Second {
			inARow = 0
		}
		equal(s, "status", one.result.Status, primitive.PullFound)
		equal(s, "body", string(one.result.GetMessageExts()[0].Body), body)
		equal(s, "next offset", one.result.NextBeginOffset, offset+1)
		held = s.pullFrom(with, queue, offset+1, 32)
		time.Sleep(step)
	}
}

func pullBeyondEnd(s *scope) {
	topic := s.topic(2)
	with := s.pull(s.group("g"), topic)
	from := s.manual()
	full, empty := s.queueOf(topic, 0), s.queueOf(topic, 1)
	for i := 0; i < 5; i++ {
		m := primitive.NewMessage(topic, []byte(strconv.Itoa(i)))
		m.Queue = full
		s.send(from, m)
	}
	s.awaitReadable(with, full, 4)
	for _, test := range []struct {
		queue        *primitive.MessageQueue
		offset, next int64
	}{{full, 6, 5}, {full, 1_000_000, 5}, {empty, 5, 0}} {
		one := s.answered(s.pullFrom(with, test.queue, test.offset, 32), patience).result
		what := fmt.Sprintf("queue %d at %d", test.queue.QueueId, test.offset)
		equal(s, what+": status", one.Status, primitive.PullOffsetIllegal)
		equal(s, what+": next offset", one.NextBeginOffset, test.next)
	}
	one := s.answered(s.pullFrom(with, full, 2, 32), patience).result
	equal(s, "found from 2", len(one.GetMessageExts()), 3)
	equal(s, "smallest offset", one.MinOffset, 0)
	equal(s, "greatest offset", one.MaxOffset, 5)
	equal(s, "suggested broker", one.SuggestWhichBrokerId, 0)
}

func pullCount(s *scope) {
	topic := s.topic(1)
	with := s.pull(s.group("g"), topic)
	s.sendBodies(s.producer(), topic, "m", 0, 50)
	queue := s.queueOf(topic, 0)
	s.awaitReadable(with, queue, 49)
	for _, test := range []struct{ offset, asked, got int }{{0, 1, 1}, {0, 10, 10}, {0, 32, 32}, {0, 64, 32}, {45, 32, 5}} {
		one := s.answered(s.pullFrom(with, queue, int64(test.offset), test.asked), patience).result
		what := fmt.Sprintf("asked %d from %d", test.asked, test.offset)
		equal(s, what, len(one.GetMessageExts()), test.got)
		equal(s, what+": next offset", one.NextBeginOffset, int64(test.offset+test.got))
		equal(s, what+": first body", string(one.GetMessageExts()[0].Body), "m"+strconv.Itoa(test.offset))
	}
}

func pullUnknownQueue(s *scope) {
	topic := s.topic(2)
	with := s.pull(s.group("g"), topic)
	queue := s.queueOf(topic, 0)
	queue.QueueId = 2
	_, err := with.PullFrom(s.ctx, queue, 0, 32)
	refusedPull(s, "queue 2 of 2", err, 29)
}

func pullWriteOnly(s *scope) {
	topic, topicToStart := s.name("writeonly"), s.topic(1)
	s.createTopic(topic, 1, admin.WithPerm(2))
	s.send(s.producer(), primitive.NewMessage(topic, []byte("x")))
	with := s.pull(s.group("g"), topicToStart)
	_, err := with.PullFrom(s.ctx, s.queueOf(topic, 0), 0, 32)
	refusedPull(s, "a topic without read permission", err, 16)
}

// refusedPull insists that the pull ended with this code of the broker.
func refusedPull(s *scope, what string, err error, code int) {
	if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("unknown Response Code: %d,", code)) {
		s.failf("pull of %s: expected code %d, got %v", what, code, err)
	}
}

func pullOffsets(s *scope) {
	topic, group := s.topic(1), s.group("g")
	s.sendBodies(s.producer(), topic, "m", 0, 20)
	queue := s.queueOf(topic, 0)
	started := time.Now()
	with := s.pull(group, topic)
	// The client stores only queues that its rebalance gave it, and that sets the offset to what the broker knows.
	s.await("offset 7 is stored", patience, func() (bool, string) {
		s.must(with.UpdateOffset(queue, 7), "set the offset")
		s.must(with.PersistOffset(s.ctx, topic), "persist the offsets")
		stored := s.storedOffset(group, queue)
		return stored == 7, strconv.FormatInt(stored, 10)
	})
	s.retire(with, started, group, 0)
	equal(s, "offset stored after the shutdown", s.storedOffset(group, queue), 7)
	next := s.pull(group, topic)
	known, err := next.CurrentOffset(queue)
	s.must(err, "read the offset")
	equal(s, "offset found by the next consumer", known, 7)
	one, err := next.Pull(s.ctx, 5)
	s.must(err, "pull")
	equal(s, "messages", len(one.GetMessageExts()), 5)
	equal(s, "first body", string(one.GetMessageExts()[0].Body), "m7")
	s.await("a smaller offset is accepted", patience, func() (bool, string) {
		s.must(next.UpdateOffset(queue, 3), "set a smaller offset")
		s.must(next.PersistOffset(s.ctx, topic), "persist it")
		stored := s.storedOffset(group, queue)
		return stored == 3, strconv.FormatInt(stored, 10)
	})
}

// pollAll polls and acknowledges until every body came, and returns how often each did.
func pollAll(s *scope, with rocketmq.PullConsumer, bodies ...string) map[string]int {
	got := map[string]int{}
	s.await(fmt.Sprintf("%d messages polled", len(bodies)), patience, func() (bool, string) {
		for {
			request, err := with.Poll(s.ctx, 200*time.Millisecond)
			if consumer.IsNoNewMsgError(err) {
				break
			}
			s.must(err, "poll")
			for _, m := range request.GetMsgList() {
				got[string(m.Body)]++
			}
			with.ACK(s.ctx, request, consumer.ConsumeSuccess)
		}
		for _, body := range bodies {
			if got[body] == 0 {
				return false, fmt.Sprintf("%d bodies", len(got))
			}
		}
		return true, ""
	})
	return got
}

func pollAndAcknowledge(s *scope) {
	topic, group, from := s.topic(4), s.group("g"), s.producer()
	s.sendBodies(from, topic, "m", 0, 100)
	started := time.Now()
	first := s.pull(group, topic, consumer.WithPullBatchSize(32))
	got := pollAll(s, first, numbered("m", 0, 100)...)
	for _, body := range numbered("m", 0, 100) {
		equal(s, "deliveries of "+body, got[body], 1)
	}
	s.retire(first, started, group, 0)
	s.awaitStored(group, topic, 100)
	s.sendBodies(from, topic, "m", 100, 110)
	second := s.pull(group, topic, consumer.WithPullBatchSize(32))
	got = pollAll(s, second, numbered("m", 100, 110)...)
	equal(s, "bodies seen by the second consumer", len(got), 10)
}

func pollDefaultBatch(s *scope) {
	topic := s.topic(1)
	s.sendBodies(s.producer(), topic, "m", 0, 10)
	with := s.pull(s.group("g"), topic)
	got := pollAll(s, with, numbered("m", 0, 10)...)
	equal(s, "bodies", len(got), 10)
}
