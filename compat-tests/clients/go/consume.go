package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func consumeCases() []testCase {
	return []testCase{
		{"GF01", groupCore, "tag filter `A || B` with spaces: A and B only", tagFilter},
		{"GF02", groupCore, "two tags with the same Java hash: only the requested one is shown", tagHashTwins},
		{"GP18", groupCore, "two groups on one topic both get everything", twoGroups},
		{"GM01", groupCore, "a second member shares the queues at once, and gives them back when it leaves", memberJoinsAndLeaves},
		{"GM02", groupCore, "a member whose process is killed: the other takes its queues over, nothing is lost", memberKilled},
		{"GM13", groupCore, "averagely, by circle and by consistent hash: 3 members share 8 queues without gap or overlap", strategies},
		{"GM16", groupCore, "a consumer of a topic that does not exist does not start", missingTopic},
		{"GA18", groupCore, "broadcast: each member gets everything and goes on after a restart where it was", broadcast},
		{"GR10", groupCore, "broadcast: a failed message is not tried again", broadcastFailure},
		{"GA22", groupCore, "producer and consumer in a namespace meet each other and nobody else", namespaces},
	}
}

func tagFilter(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	from := s.producer()
	for i, tag := range []string{"A", "B", "C", "", "AB", "a", "A"} {
		s.send(from, primitive.NewMessage(topic, []byte(tag+strconv.Itoa(i))).WithTag(tag))
	}
	s.push(group, topic, tags("  A ||B  "), got.accept)
	got.awaitBodies(s, patience, "A6")
	// What comes while the pull is held must pass the same filter.
	s.send(from, primitive.NewMessage(topic, []byte("C7")).WithTag("C"))
	s.send(from, primitive.NewMessage(topic, []byte("B8")).WithTag("B"))
	onceEach(s, got.awaitBodies(s, patience, "B8"), "A0", "B1", "A6", "B8")
}

func tagHashTwins(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	from := s.producer()
	for i, tag := range []string{"Aa", "BB", "Aa", "BB", "Aa"} {
		s.send(from, primitive.NewMessage(topic, []byte(tag+strconv.Itoa(i))).WithTag(tag))
	}
	s.push(group, topic, tags("Aa"), got.accept)
	onceEach(s, got.awaitBodies(s, patience, "Aa0", "Aa2", "Aa4"), "Aa0", "Aa2", "Aa4")
}

func twoGroups(s *scope) {
	topic, first, second := s.topic(4), newInbox(), newInbox()
	s.push(s.group("one"), topic, all, first.accept)
	s.push(s.group("two"), topic, all, second.accept)
	s.sendBodies(s.producer(), topic, "m", 0, 40)
	onceEach(s, first.awaitBodies(s, patience, numbered("m", 0, 40)...), numbered("m", 0, 40)...)
	onceEach(s, second.awaitBodies(s, patience, numbered("m", 0, 40)...), numbered("m", 0, 40)...)
}

// awaitShares sends rounds of one message per queue until one round was split over the members as wanted. The limit is by ran.
func awaitShares(s *scope, from rocketmq.Producer, topic string, queues int, what string, limit time.Duration, want func(shares []int) bool, members ...*inbox) {
	deadline := s.ran() + limit
	for round := 0; ; round++ {
		prefix := fmt.Sprintf("%s-%d-", what, round)
		s.sendBodies(from, topic, prefix, 0, queues)
		shares := make([]int, len(members))
		s.await("round "+prefix+" consumed", patience, func() (bool, string) {
			bodies := map[string]bool{}
			for i, one := range members {
				seen, _ := one.snapshot()
				shares[i] = 0
				for _, a := range seen {
					if strings.HasPrefix(a.body, prefix) {
						bodies[a.body] = true
						shares[i]++
					}
				}
			}
			return len(bodies) == queues, fmt.Sprintf("%d of %d messages, shares %v", len(bodies), queues, shares)
		})
		if want(shares) {
			return
		}
		if s.ran() > deadline {
			s.failf("not within %s: %s; last shares %v", limit, what, shares)
		}
	}
}

func memberJoinsAndLeaves(s *scope) {
	const queues = 8
	topic, group, first, second := s.topic(queues), s.group("g"), newInbox(), newInbox()
	from := s.producer()
	s.push(group, topic, all, first.accept)
	awaitShares(s, from, topic, queues, "alone", patience, func(n []int) bool { return n[0] == 8 }, first)
	joined := time.Now()
	joining := s.push(group, topic, all, second.accept)
	// Well below the 20 s of the client's own rebalance: the broker's notice (40) must bring it about.
	awaitShares(s, from, topic, queues, "shared", 8*time.Second, func(n []int) bool { return n[0] == 4 && n[1] == 4 }, first, second)
	s.retire(joining, joined, group, 1)
	awaitShares(s, from, topic, queues, "again", 8*time.Second, func(n []int) bool { return n[0] == 8 && n[1] == 0 }, first, second)
}

func memberKilled(s *scope) {
	const queues = 8
	topic, group, first := s.topic(queues), s.group("g"), newInbox()
	from := s.producer()
	s.push(group, topic, all, first.accept)
	awaitShares(s, from, topic, queues, "alone", patience, func(n []int) bool { return n[0] == 8 }, first)
	second := s.startMember(group, topic)
	awaitShares(s, from, topic, queues, "shared", patience, func(n []int) bool { return n[0] == 4 && n[1] == 4 }, first, second.got)
	second.kill(s)
	awaitShares(s, from, topic, queues, "takeover", 10*time.Second, func(n []int) bool { return n[0] == 8 }, first, second.got)
}

func strategies(s *scope) {
	const queues, members = 8, 3
	for name, strategy := range map[string]consumer.AllocateStrategy{
		"averagely": consumer.AllocateByAveragely, "circle": consumer.AllocateByAveragelyCircle, "hash": consumer.AllocateByConsistentHash(10),
	} {
		topic, group := s.name(name), s.group("g"+name)
		s.createTopic(topic, queues)
		var boxes []*inbox
		for i := 0; i < members; i++ {
			box := newInbox()
			boxes = append(boxes, box)
			s.push(group, topic, all, box.accept, consumer.WithStrategy(strategy))
		}
		awaitShares(s, s.producer(producer.WithGroupName(s.name(name))), topic, queues, name, patience, func(n []int) bool {
			if name == "hash" {
				return n[0]+n[1]+n[2] == queues
			}
			least, most := min(n[0], n[1], n[2]), max(n[0], n[1], n[2])
			return n[0]+n[1]+n[2] == queues && least == 2 && most == 3
		}, boxes...)
	}
}

func missingTopic(s *scope) {
	made := s.newPush(s.group("g"))
	topic := s.name("nowhere")
	s.must(made.Subscribe(topic, all, newInbox().accept), "subscribe")
	err := made.Start()
	if err == nil || !strings.Contains(err.Error(), "route info not found") {
		s.failf("start on a missing topic: expected no route, got %v", err)
	}
}

func broadcast(s *scope) {
	topic, group := s.topic(4), s.name("g")
	from := s.producer()
	start := func(instance string) (rocketmq.PushConsumer, *inbox) {
		box := newInbox()
		return s.push(group, topic, all, box.accept, consumer.WithConsumerModel(consumer.BroadCasting), consumer.WithInstance(instance)), box
	}
	names := []string{s.instance(), s.instance(), s.instance()}
	first, firstBox := start(names[0])
	_, secondBox := start(names[1])
	_, thirdBox := start(names[2])
	s.sendBodies(from, topic, "m", 0, 20)
	for _, box := range []*inbox{firstBox, secondBox, thirdBox} {
		onceEach(s, box.awaitBodies(s, patience, numbered("m", 0, 20)...), numbered("m", 0, 20)...)
	}
	s.must(first.Shutdown(), "shut a member down")
	s.sendBodies(from, topic, "m", 20, 30)
	_, again := start(names[0])
	onceEach(s, again.awaitBodies(s, patience, numbered("m", 20, 30)...), numbered("m", 20, 30)...)
}

func broadcastFailure(s *scope) {
	topic, got := s.topic(1), newInbox()
	s.push(s.name("g"), topic, all, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		if level, ok := primitive.GetConcurrentlyCtx(ctx); ok {
			level.DelayLevelWhenNextConsume = 1
		}
		got.put(messages...)
		return consumer.ConsumeRetryLater, nil
	}, consumer.WithConsumerModel(consumer.BroadCasting))
	from := s.producer()
	s.send(from, primitive.NewMessage(topic, []byte("fails")))
	got.awaitBodies(s, patience, "fails")
	// A retry at level 1 would come within two seconds; a delayed message sent now arrives after it would have.
	s.send(from, primitive.NewMessage(topic, []byte("after")).WithDelayTimeLevel(2))
	onceEach(s, got.awaitBodies(s, patience, "after"), "fails", "after")
}

func namespaces(s *scope) {
	space, topic, group := "ns"+s.target.run, s.name("t"), s.name("g")
	s.createTopic(space+"%"+topic, 2)
	s.createTopic(topic, 2)
	inside, outside := newInbox(), newInbox()
	var foreign atomic.Int64
	s.push(group, topic, all, inside.accept, consumer.WithNamespace(space))
	s.push(group, topic, all, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range messages {
			if strings.HasPrefix(string(m.Body), "in") {
				foreign.Add(1)
			}
		}
		return outside.accept(ctx, messages...)
	})
	s.sendBodies(s.producer(producer.WithNamespace(space)), topic, "in", 0, 6)
	s.sendBodies(s.producer(), topic, "out", 0, 6)
	seen := inside.awaitBodies(s, patience, numbered("in", 0, 6)...)
	onceEach(s, seen, numbered("in", 0, 6)...)
	// The Go client shows its listeners the full name, unlike the Java client.
	equal(s, "topic seen by the listener", seen[0].topic, space+"%"+topic)
	onceEach(s, outside.awaitBodies(s, patience, numbered("out", 0, 6)...), numbered("out", 0, 6)...)
	equal(s, "messages of the namespace seen outside", foreign.Load(), 0)
}
