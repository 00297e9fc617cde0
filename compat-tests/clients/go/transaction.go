package main

import (
	"strconv"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// The harness sets transactionCheckInterval=2000, transactionTimeOut=3000 and transactionOpBatchInterval=200.
func transactionCases() []testCase {
	return []testCase{
		{"GX01", groupCore, "a committed message is seen once in its queue, one rolled back never", transactionEnds},
		{"GX02", groupCore, "what is not known is settled by the broker's question", transactionAsked},
		{"GX03", groupCore, "a hundred transactions of every kind, each exactly once or never", transactionMany},
	}
}

// decider ends a transaction as the body says: the word before the colon at once, the word after it when asked.
type decider struct {
	lock  sync.Mutex
	asked map[string]int
}

func verdict(word string) primitive.LocalTransactionState {
	switch word {
	case "commit":
		return primitive.CommitMessageState
	case "rollback":
		return primitive.RollbackMessageState
	default:
		return primitive.UnknowState
	}
}

func (d *decider) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	return verdict(strings.Split(string(message.Body), ":")[0])
}

func (d *decider) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.asked[string(message.Body)]++
	return verdict(strings.Split(string(message.Body), ":")[1])
}

func (d *decider) questions(body string) int {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.asked[body]
}

func (s *scope) transactions() (rocketmq.TransactionProducer, *decider) {
	listener := &decider{asked: map[string]int{}}
	made, err := rocketmq.NewTransactionProducer(listener,
		producer.WithNsResolver(s.resolver()), producer.WithInstanceName(s.instance()),
		producer.WithGroupName(s.name("tp")), producer.WithRetry(0), producer.WithSendMsgTimeout(patience))
	s.must(err, "make a transaction producer")
	s.must(made.Start(), "start a transaction producer")
	s.onEnd(func() { _ = made.Shutdown() })
	return made, listener
}

func (s *scope) sendHalf(with rocketmq.TransactionProducer, topic, body string) *primitive.TransactionSendResult {
	result, err := with.SendMessageInTransaction(s.ctx, primitive.NewMessage(topic, []byte(body)).WithTag("A"))
	s.must(err, "send half of "+body)
	equal(s, "send status", result.Status, primitive.SendOK)
	return result
}

func transactionEnds(s *scope) {
	topic, got := s.topic(4), newInbox()
	s.push(s.group("g"), topic, tags("A"), got.accept)
	with, _ := s.transactions()
	sent := s.sendHalf(with, topic, "commit:unknown")
	equal(s, "local state", sent.State, primitive.CommitMessageState)
	s.sendHalf(with, topic, "rollback:rollback")
	got.awaitBodies(s, patience, "commit:unknown")
	time.Sleep(6 * time.Second)
	seen, _ := got.snapshot()
	onceEach(s, seen, "commit:unknown")
	equal(s, "topic", seen[0].topic, topic)
	equal(s, "queue", seen[0].message.Queue.QueueId, sent.MessageQueue.QueueId)
	equal(s, "message id", seen[0].message.MsgId, sent.MsgID)
}

func transactionAsked(s *scope) {
	topic, got := s.topic(1), newInbox()
	s.push(s.group("g"), topic, all, got.accept)
	with, listener := s.transactions()
	s.sendHalf(with, topic, "unknown:commit")
	s.sendHalf(with, topic, "unknown:rollback")
	got.awaitBodies(s, patience, "unknown:commit")
	questions := func() int { return listener.questions("unknown:commit") + listener.questions("unknown:rollback") }
	// A client that takes longer than two seconds over its answer is asked once more; then no more.
	s.await("no more questions", patience, func() (bool, string) {
		before := questions()
		time.Sleep(4500 * time.Millisecond)
		now := questions()
		return now == before && listener.questions("unknown:rollback") > 0, strconv.Itoa(now)
	})
	seen, _ := got.snapshot()
	onceEach(s, seen, "unknown:commit")
}

func transactionMany(s *scope) {
	topic, got := s.topic(4), newInbox()
	s.push(s.group("g"), topic, all, got.accept)
	with, _ := s.transactions()
	var expected []string
	for i := 0; i < 100; i++ {
		kind := []string{"commit:unknown", "rollback:rollback", "unknown:commit", "unknown:rollback"}[i%4]
		body := kind + ":" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		s.sendHalf(with, topic, body)
		if strings.Contains(kind, "commit") {
			expected = append(expected, body)
		}
	}
	got.awaitBodies(s, patience, expected...)
	time.Sleep(4 * time.Second)
	seen, _ := got.snapshot()
	onceEach(s, seen, expected...)
}
