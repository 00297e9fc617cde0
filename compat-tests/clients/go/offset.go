package main

import (
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func offsetCases() []testCase {
	return []testCase{
		{"GM06", groupCore, "a new group on a young topic starts at its first message, wherever it asks to start", youngTopic},
		{"GM17", groupCore, "a group goes on where it was after all its consumers restarted", restartedGroup},
		{"GM18", groupCore, "offsets are stored every few seconds: a killed consumer repeats only the last ones", killedConsumer},
		{"GM06F", groupCore, "a new group on an old topic, from first: everything", func(s *scope) { consumeFrom(s, consumer.ConsumeFromFirstOffset, 0) }},
		{"GM06L", groupCore, "a new group on an old topic, from last: only what comes after its start", func(s *scope) { consumeFrom(s, consumer.ConsumeFromLastOffset, 6) }},
		{"GM06T", groupCore, "a new group on an old topic, from a time: what was stored since", func(s *scope) { consumeFrom(s, consumer.ConsumeFromTimestamp, 3) }},
	}
}

// youngTopic: while a queue still has its first message in memory the broker answers 0 for a group it does not know, and
// the client takes that for a stored offset.
func youngTopic(s *scope) {
	topic := s.topic(2)
	s.sendBodies(s.producer(), topic, "m", 0, 10)
	for i, where := range []consumer.ConsumeFromWhere{consumer.ConsumeFromLastOffset, consumer.ConsumeFromFirstOffset, consumer.ConsumeFromTimestamp} {
		got := newInbox()
		s.push(s.group("g"+strconv.Itoa(i)), topic, all, got.accept, consumer.WithConsumeFromWhere(where),
			consumer.WithConsumeTimestamp(time.Now().UTC().Add(time.Hour).Format("20060102150405")))
		onceEach(s, got.awaitBodies(s, patience, numbered("m", 0, 10)...), numbered("m", 0, 10)...)
	}
}

func restartedGroup(s *scope) {
	topic, group, from := s.topic(4), s.group("g"), s.producer()
	sent := 0
	for _, batch := range []int{40, 12, 25} {
		s.sendBodies(from, topic, "m", sent, sent+batch)
		bodies, got, started := numbered("m", sent, sent+batch), newInbox(), time.Now()
		running := s.push(group, topic, all, got.accept)
		got.awaitBodies(s, patience, bodies...)
		s.breathe()
		// The offsets are stored at the shutdown, after the connection's heartbeats and with no member left.
		s.retire(running, started, group, 0)
		sent += batch
		s.awaitStored(group, topic, int64(sent))
		seen, _ := got.snapshot()
		onceEach(s, seen, bodies...)
	}
}

func killedConsumer(s *scope) {
	topic, group, from := s.topic(1), s.group("g"), s.producer()
	s.sendBodies(from, topic, "m", 0, 20)
	first := s.startMember(group, topic)
	first.got.awaitBodies(s, patience, numbered("m", 0, 20)...)
	// The first store happens 10 s after the start. No request tells from outside, so the pull's own commit does it
	// sooner: the next pull after these messages carries their offset.
	s.sendBodies(from, topic, "m", 20, 21)
	first.got.awaitBodies(s, patience, "m20")
	s.sendBodies(from, topic, "m", 21, 22)
	first.got.awaitBodies(s, patience, "m21")
	first.kill(s)
	s.sendBodies(from, topic, "m", 22, 30)
	got := newInbox()
	s.push(group, topic, all, got.accept)
	seen := got.awaitBodies(s, patience, numbered("m", 22, 30)...)
	for _, one := range seen {
		if number, err := strconv.Atoi(one.body[1:]); err != nil || number < 19 {
			s.failf("%q was delivered again", one.body)
		}
	}
}

// consumeFrom starts a new group on a topic with two batches of messages, more than a second apart, and a time between.
func consumeFrom(s *scope, where consumer.ConsumeFromWhere, first int) {
	topic, group, from, got := s.topic(1), s.group("g"), s.producer(), newInbox()
	s.sendBodies(from, topic, "m", 0, 3)
	// The client gives the time in whole seconds of UTC; the two batches must lie in different ones.
	between := time.Now().Truncate(time.Second).Add(2 * time.Second)
	select {
	case <-time.After(time.Until(between) + 50*time.Millisecond):
	case <-s.ctx.Done():
	}
	s.sendBodies(from, topic, "m", 3, 6)
	through, pulls := s.onOldTopic()
	s.push(group, topic, all, got.accept, through, consumer.WithConsumeFromWhere(where),
		consumer.WithConsumeTimestamp(between.UTC().Format("20060102150405")))
	pulls.awaitBodies(s, patience, topic)
	s.send(from, primitive.NewMessage(topic, []byte("m6")))
	onceEach(s, got.awaitBodies(s, patience, numbered("m", first, 7)...), numbered("m", first, 7)...)
}
