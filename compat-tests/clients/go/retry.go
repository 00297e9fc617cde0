package main

import (
	"context"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func retryCases() []testCase {
	return []testCase{
		{"GR01", groupCore, "a failed message comes again after 10 s with its own topic, count 1 and its origin", retryDefault},
		{"GR02", groupCore, "a failed message at level 1 comes again after a second", retryLevelOne},
		{"GR03", groupCore, "level -1 sends a message straight to the dead-letter topic", retryNever},
		{"GR04", groupCore, "after two retries the message is in the dead-letter topic with its own properties", retryExhausted},
		{"GR12", groupCore, "retry works for a group whose retry topic did not exist when the consumer started", retryNewGroup},
	}
}

// failing is a handler that asks for a retry at the level (0: the broker's own steps) while refuse says so.
func failing(got *inbox, level int, refuse func(*primitive.MessageExt) bool) handler {
	return func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		got.put(messages...)
		if !refuse(messages[0]) {
			return consumer.ConsumeSuccess, nil
		}
		if concurrently, ok := primitive.GetConcurrentlyCtx(ctx); ok {
			concurrently.DelayLevelWhenNextConsume = level
		}
		return consumer.ConsumeRetryLater, nil
	}
}

func firstTime(m *primitive.MessageExt) bool { return m.ReconsumeTimes == 0 }

func always(*primitive.MessageExt) bool { return true }

// deadLetters reads the group's dead-letter topic with a consumer of its own and returns the message of that body.
func (s *scope) deadLetters(group, body string) arrival {
	topic, got := "%DLQ%"+group, newInbox()
	s.awaitRoute(s.admin(), topic, 1)
	s.push(s.group("dead"), topic, all, got.accept)
	seen := got.awaitBodies(s, patience, body)
	onceEach(s, seen, body)
	return seen[0]
}

// checkRetry compares a first delivery with a second one.
func checkRetry(s *scope, topic string, first, second arrival, least, most time.Duration) {
	equal(s, "topic of the retry", second.topic, topic)
	equal(s, "count of the retry", second.reconsumed, 1)
	equal(s, "RETRY_TOPIC", second.properties[primitive.PropertyRetryTopic], topic)
	equal(s, "ORIGIN_MESSAGE_ID", second.properties[primitive.PropertyOriginMessageId], first.message.OffsetMsgId)
	equal(s, "unique id", second.message.MsgId, first.message.MsgId)
	equal(s, "own property", second.properties["own"], first.properties["own"])
	equal(s, "tags", second.message.GetTags(), first.message.GetTags())
	equal(s, "keys", second.message.GetKeys(), first.message.GetKeys())
	if second.message.OffsetMsgId == first.message.OffsetMsgId {
		s.failf("the retry has the offset id of the first delivery, %s", first.message.OffsetMsgId)
	}
	if gap := second.at.Sub(first.at); gap < least || gap > most {
		s.failf("the retry came after %s, expected %s to %s", gap, least, most)
	}
}

func retryMessage(topic string) *primitive.Message {
	m := primitive.NewMessage(topic, []byte("again")).WithTag("A").WithKeys([]string{"k1", "k2"})
	m.WithProperty("own", "kept")
	return m
}

func retryOnce(s *scope, level int, least, most time.Duration) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	s.send(s.producer(), retryMessage(topic))
	s.push(group, topic, tags("A"), failing(got, level, firstTime))
	seen := got.await(s, "the retry", patience, func(seen []arrival) bool { return len(seen) >= 2 })
	checkRetry(s, topic, seen[0], seen[1], least, most)
}

func retryDefault(s *scope) { retryOnce(s, 0, 9500*time.Millisecond, 60*time.Second) }

func retryLevelOne(s *scope) { retryOnce(s, 1, 900*time.Millisecond, 60*time.Second) }

func retryNever(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	s.send(s.producer(), retryMessage(topic))
	s.push(group, topic, all, failing(got, -1, always))
	dead := s.deadLetters(group, "again")
	seen, _ := got.snapshot()
	onceEach(s, seen, "again")
	equal(s, "own property", dead.properties["own"], "kept")
	equal(s, "RETRY_TOPIC", dead.properties[primitive.PropertyRetryTopic], topic)
}

func retryExhausted(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	s.send(s.producer(), retryMessage(topic))
	s.push(group, topic, all, failing(got, 1, always), consumer.WithMaxReconsumeTimes(2))
	dead := s.deadLetters(group, "again")
	seen, _ := got.snapshot()
	equal(s, "deliveries", len(seen), 3)
	for i, one := range seen {
		equal(s, "count of a delivery", one.reconsumed, int32(i))
		equal(s, "unique id", one.message.MsgId, seen[0].message.MsgId)
	}
	equal(s, "topic of the dead letter", dead.topic, "%DLQ%"+group)
	equal(s, "count of the dead letter", dead.reconsumed, 3)
	equal(s, "unique id of the dead letter", dead.message.MsgId, seen[0].message.MsgId)
	equal(s, "ORIGIN_MESSAGE_ID", dead.properties[primitive.PropertyOriginMessageId], seen[0].message.OffsetMsgId)
	equal(s, "RETRY_TOPIC", dead.properties[primitive.PropertyRetryTopic], topic)
	equal(s, "tags", dead.message.GetTags(), "A")
	equal(s, "keys", dead.message.GetKeys(), "k1 k2")
	equal(s, "own property", dead.properties["own"], "kept")
}

func retryNewGroup(s *scope) {
	topic, group, got := s.topic(1), s.name("g"), newInbox()
	s.push(group, topic, tags("A"), failing(got, 1, firstTime))
	s.send(s.producer(), retryMessage(topic))
	// The client asks for the retry topic's route every 30 s and balances every 20 s.
	seen := got.await(s, "the retry", patience, func(seen []arrival) bool { return len(seen) >= 2 })
	checkRetry(s, topic, seen[0], seen[1], 900*time.Millisecond, patience)
}
