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

func orderCases() []testCase {
	return []testCase{
		{"GO01", groupCore, "messages of a sharding key stay on one queue and in order, also when another member takes over", shardOrder},
		{"GO02", groupCore, "a suspended queue delivers the same message again, later ones wait, other queues go on", suspendedQueue},
		{"GO03", groupSlow, "an orderly member that joins gets a queue only when the old lock is 60 s old; order holds", orderlyMemberJoins},
		{"GO06", groupCore, "an orderly message that always fails ends in the dead-letter topic and its queue goes on", orderlyDeadLetter},
	}
}

// shardLoad sends numbered messages of several sharding keys and checks their order on arrival.
type shardLoad struct {
	*scope
	topic  string
	from   rocketmq.Producer
	queues map[string]int
}

const shards = 5

func newShardLoad(s *scope) *shardLoad {
	from := s.producer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	return &shardLoad{scope: s, topic: s.topic(4), from: from, queues: map[string]int{}}
}

// send sends the numbers [first, last) of every shard; a shard must stay on its queue.
func (l *shardLoad) send(first, last int) {
	for i := first; i < last; i++ {
		for shard := 0; shard < shards; shard++ {
			key := "shard" + strconv.Itoa(shard)
			m := primitive.NewMessage(l.topic, []byte(key+":"+strconv.Itoa(i))).WithShardingKey(key)
			result := l.scope.send(l.from, m)
			if before, known := l.queues[key]; known {
				equal(l.scope, "queue of "+key, result.MessageQueue.QueueId, before)
			}
			l.queues[key] = result.MessageQueue.QueueId
		}
	}
}

// await waits for the numbers [0, count) of every shard and checks their order. A queue may be handed over before its
// last offset was stored: a run of messages may repeat, never jump ahead.
func (l *shardLoad) await(got *inbox, count int, limit time.Duration) {
	what := fmt.Sprintf("%d messages of each shard", count)
	seen := got.await(l.scope, what, limit, func(seen []arrival) bool { return len(counts(seen)) == shards*count })
	next := map[string]int{}
	for _, one := range seen {
		key, text, _ := strings.Cut(one.body, ":")
		number, err := strconv.Atoi(text)
		l.must(err, "number of "+one.body)
		if number > next[key] {
			l.failf("%s came before %s:%d", one.body, key, next[key])
		}
		next[key] = max(next[key], number+1)
	}
}

func shardOrder(s *scope) {
	load, group, got := newShardLoad(s), s.group("g"), newInbox()
	load.send(0, 20)
	started := time.Now()
	first := s.push(group, load.topic, all, got.accept, consumer.WithConsumerOrder(true))
	load.await(got, 20, patience)
	load.send(20, 40)
	load.await(got, 40, patience)
	// A member that shuts down gives its locks back: the next one need not wait for them to grow old.
	s.retire(first, started, group, 0)
	s.push(group, load.topic, all, got.accept, consumer.WithConsumerOrder(true))
	load.send(40, 60)
	load.await(got, 60, patience)
}

// orderlyMemberJoins: the Go client does not unlock the queues that a rebalance takes from it, so that a joining member
// gets them when their locks are 60 s old and its own rebalance, every 20 s, asks again.
func orderlyMemberJoins(s *scope) {
	load, group, got, joined := newShardLoad(s), s.group("g"), newInbox(), newInbox()
	s.push(group, load.topic, all, got.accept, consumer.WithConsumerOrder(true))
	load.send(0, 20)
	load.await(got, 20, patience)
	s.push(group, load.topic, all, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		joined.put(messages...)
		return got.accept(ctx, messages...)
	}, consumer.WithConsumerOrder(true))
	start := time.Now()
	load.send(20, 40)
	load.await(got, 40, patience)
	seen, _ := joined.snapshot()
	if len(seen) == 0 {
		s.failf("the joining member got nothing")
	}
	if waited := seen[0].at.Sub(start); waited < 35*time.Second {
		s.failf("the joining member took a locked queue after %s", waited)
	}
}

func suspendedQueue(s *scope) {
	topic, group, got := s.topic(2), s.group("g"), newInbox()
	from := s.manual()
	for id := 0; id < 2; id++ {
		queue := s.queueOf(topic, id)
		for i := 0; i < 3; i++ {
			m := primitive.NewMessage(topic, []byte(fmt.Sprintf("q%d-%d", id, i)))
			m.Queue = queue
			s.send(from, m)
		}
	}
	var refusals atomic.Int64
	s.push(group, topic, all, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		got.put(messages...)
		if string(messages[0].Body) == "q0-1" && refusals.Add(1) <= 2 {
			// Left at its default of -1 the client does not pause at all.
			if orderly, ok := primitive.GetOrderlyCtx(ctx); ok {
				orderly.SuspendCurrentQueueTimeMillis = 1000
			}
			return consumer.SuspendCurrentQueueAMoment, nil
		}
		return consumer.ConsumeSuccess, nil
	}, consumer.WithConsumerOrder(true))
	seen := got.awaitBodies(s, patience, "q0-2", "q1-2")
	order := map[int][]string{}
	var first, second time.Time
	for _, one := range seen {
		order[one.queue] = append(order[one.queue], one.body)
		if one.body == "q0-1" && one.reconsumed == 0 {
			first = one.at
		}
		if one.body == "q0-1" && one.reconsumed == 1 {
			second = one.at
		}
	}
	equal(s, "queue 0", fmt.Sprint(order[0]), "[q0-0 q0-1 q0-1 q0-1 q0-2]")
	equal(s, "queue 1", fmt.Sprint(order[1]), "[q1-0 q1-1 q1-2]")
	if gap := second.Sub(first); gap < 900*time.Millisecond || gap > 60*time.Second {
		s.failf("the suspended message came again after %s", gap)
	}
}

func orderlyDeadLetter(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	from := s.producer()
	s.sendBodies(from, topic, "m", 0, 3)
	s.push(group, topic, all, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		got.put(messages...)
		if string(messages[0].Body) == "m1" {
			return consumer.SuspendCurrentQueueAMoment, nil
		}
		return consumer.ConsumeSuccess, nil
	}, consumer.WithConsumerOrder(true), consumer.WithMaxReconsumeTimes(1))
	seen := got.awaitBodies(s, patience, "m2")
	var order []string
	for _, one := range seen {
		order = append(order, one.body+"/"+strconv.Itoa(int(one.reconsumed)))
	}
	// One delivery more than the maximum says: the client gives up when the count is greater, not when it is reached.
	equal(s, "deliveries", fmt.Sprint(order), "[m0/0 m1/0 m1/1 m1/2 m2/0]")
	dead := s.deadLetters(group, "m1")
	equal(s, "topic of the dead letter", dead.topic, "%DLQ%"+group)
	equal(s, "origin of the dead letter", dead.properties[primitive.PropertyRetryTopic], topic)
}
