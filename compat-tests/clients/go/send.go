package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

func sendCases() []testCase {
	return []testCase{
		{"GS01", groupCore, "8 sync sends over 4 queues: all SEND_OK, two per queue, offsets dense from 0", syncSend},
		{"GS02", groupCore, "the offset message id names the broker's address and the record the consumer sees", offsetMessageID},
		{"GS03", groupCore, "a send to a new topic creates it with 4 queues", autoCreatedTopic},
		{"GS09", groupCore, "a body of 4 MiB is stored, one byte more is refused with 13", bodyLimit},
		{"GS10", groupCore, "properties over 32767 bytes are refused with 13", propertiesLimit},
		{"GS11", groupCore, "one-way sends are consumable", oneWaySend},
		{"GS12", groupCore, "1000 async sends: every callback once, every offset once", asyncSend},
		{"GS13", groupCore, "a body over 4 KiB travels compressed and arrives as it was", compressedBody},
		{"GS15", groupCore, "tags, keys and properties in unicode arrive as they were", unicodeProperties},
		{"GS17", groupCore, "a topic without write permission offers the producer no queue", readOnlyTopic},
		{"GB01", groupCore, "a batch of 10: ten ids, consecutive offsets of one queue", batchSend},
		{"GB02", groupCore, "a tag subscriber gets only its messages of a batch", batchTags},
		{"GD01", groupCore, "delay level 1 arrives after a second, not before", delayedSend},
	}
}

func syncSend(s *scope) {
	topic := s.topic(4)
	from := s.producer()
	offsets := map[int][]int64{}
	ids := map[string]bool{}
	for i := 0; i < 8; i++ {
		result := s.send(from, primitive.NewMessage(topic, []byte(strconv.Itoa(i))))
		equal(s, "topic of the result", result.MessageQueue.Topic, topic)
		offsets[result.MessageQueue.QueueId] = append(offsets[result.MessageQueue.QueueId], result.QueueOffset)
		ids[result.MsgID] = true
	}
	equal(s, "different message ids", len(ids), 8)
	for id := 0; id < 4; id++ {
		equal(s, fmt.Sprintf("offsets of queue %d", id), fmt.Sprint(offsets[id]), "[0 1]")
	}
}

func offsetMessageID(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	result := s.send(s.producer(), primitive.NewMessage(topic, []byte("one")))
	s.push(group, topic, all, got.accept)
	m := got.awaitBodies(s, patience, "one")[0].message
	equal(s, "offset id seen by the consumer", m.OffsetMsgId, result.OffsetMsgID)
	equal(s, "unique id seen by the consumer", m.MsgId, result.MsgID)
	raw, err := hex.DecodeString(result.OffsetMsgID)
	s.must(err, "decode offset id "+result.OffsetMsgID)
	if len(raw) != 16 && len(raw) != 28 {
		s.failf("offset id of %d bytes: %s", len(raw), result.OffsetMsgID)
	}
	host := len(raw) - 12
	address := net.JoinHostPort(net.IP(raw[:host]).String(), strconv.Itoa(int(binary.BigEndian.Uint32(raw[host:]))))
	equal(s, "address in the offset id", address, s.broker)
	equal(s, "store host of the record", m.StoreHost, s.broker)
	equal(s, "commit-log offset in the id", int64(binary.BigEndian.Uint64(raw[host+4:])), m.CommitLogOffset)
	equal(s, "queue offset", m.QueueOffset, result.QueueOffset)
	if skew := m.StoreTimestamp - m.BornTimestamp; skew < -2000 || skew > 60_000 {
		s.failf("store time %d is far from born time %d", m.StoreTimestamp, m.BornTimestamp)
	}
}

func autoCreatedTopic(s *scope) {
	topic, group, got := s.name("auto"), s.group("g"), newInbox()
	client := s.admin()
	equal(s, "queues before the first send", len(s.writableQueues(client, topic)), 0)
	from := s.producer()
	s.sendBodies(from, topic, "auto", 0, 8)
	s.awaitRoute(client, topic, 4)
	s.push(group, topic, all, got.accept)
	onceEach(s, got.awaitBodies(s, patience, numbered("auto", 0, 8)...), numbered("auto", 0, 8)...)
}

func bodyLimit(s *scope) {
	topic := s.topic(1)
	const limit = 4 << 20
	from := s.producer(producer.WithCompressMsgBodyOverHowmuch(16 << 20))
	body := make([]byte, limit+1)
	for i := range body {
		body[i] = byte(i)
	}
	s.send(from, primitive.NewMessage(topic, body[:limit]))
	_, err := from.SendSync(s.ctx, primitive.NewMessage(topic, body))
	refused(s, "a body over the limit", err, 13)
	equal(s, "offset after the refusal", s.send(from, primitive.NewMessage(topic, []byte("next"))).QueueOffset, 1)
}

func propertiesLimit(s *scope) {
	topic := s.topic(1)
	from := s.producer()
	m := primitive.NewMessage(topic, []byte("x"))
	m.WithProperty("long", strings.Repeat("p", 32768))
	_, err := from.SendSync(s.ctx, m)
	refused(s, "properties over the limit", err, 13)
	equal(s, "offset after the refusal", s.send(from, primitive.NewMessage(topic, []byte("next"))).QueueOffset, 0)
}

// refused insists that the send ended with this code of the broker.
func refused(s *scope, what string, err error, code int) {
	if err == nil {
		s.failf("%s: expected code %d, but it was accepted", what, code)
	}
	if !strings.HasPrefix(err.Error(), fmt.Sprintf("CODE: %d,", code)) {
		s.failf("%s: expected code %d, got %v", what, code, err)
	}
}

func oneWaySend(s *scope) {
	topic, group, got := s.topic(4), s.group("g"), newInbox()
	from := s.producer()
	for _, body := range numbered("way", 0, 50) {
		s.must(from.SendOneWay(s.ctx, primitive.NewMessage(topic, []byte(body))), "send one-way")
	}
	s.push(group, topic, all, got.accept)
	onceEach(s, got.awaitBodies(s, patience, numbered("way", 0, 50)...), numbered("way", 0, 50)...)
}

// asyncResult is what one callback of an async send was given.
type asyncResult struct {
	number int
	place  string
	err    error
}

func asyncSend(s *scope) {
	const total = 1000
	topic := s.topic(4)
	from := s.producer()
	waiting := make([]int, total)
	for i := range waiting {
		waiting[i] = i
	}
	places := map[string]bool{}
	// A busy broker may answer 2 within a burst, or after the client gave up: such messages, and only they, are sent again.
	for round := 0; len(waiting) > 0; round++ {
		if round == 10 {
			s.failf("%d messages were not taken in ten times", len(waiting))
		}
		results := make(chan asyncResult, 2*total)
		for _, number := range waiting {
			m := primitive.NewMessage(topic, []byte("async"+strconv.Itoa(number)))
			s.must(from.SendAsync(s.ctx, func(_ context.Context, result *primitive.SendResult, err error) {
				one := asyncResult{number: number, err: err}
				if err == nil {
					one.place = fmt.Sprintf("%d@%d", result.MessageQueue.QueueId, result.QueueOffset)
				}
				results <- one
			}, m), "send async")
		}
		called, busy := map[int]bool{}, []int(nil)
		for range waiting {
			select {
			case one := <-results:
				if called[one.number] {
					s.failf("two callbacks of message %d", one.number)
				}
				called[one.number] = true
				if one.err == nil {
					places[one.place] = true
					continue
				}
				if !hasGivenUp(one.err) {
					refused(s, "an async send", one.err, 2)
				}
				busy = append(busy, one.number)
			case <-s.ctx.Done():
				s.failf("%d of %d callbacks fired", len(called), len(waiting))
			}
		}
		equal(s, "callbacks too many", len(results), 0)
		waiting = busy
	}
	equal(s, "different places in the queues", len(places), total)
}

func compressedBody(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	from := s.producer()
	noise := make([]byte, 100<<10)
	rand.New(rand.NewSource(1)).Read(noise)
	bodies := map[string][]byte{
		"below": bytes.Repeat([]byte("a"), 4095),
		"at":    bytes.Repeat([]byte("b"), 4096),
		"text":  []byte(strings.Repeat("a line that repeats itself; ", 20_000)),
		"noise": noise,
	}
	for name, body := range bodies {
		s.send(from, primitive.NewMessage(topic, body).WithTag(name))
	}
	s.push(group, topic, all, got.accept)
	seen := got.await(s, "four bodies", patience, func(seen []arrival) bool { return len(seen) >= len(bodies) })
	equal(s, "deliveries", len(seen), len(bodies))
	for _, one := range seen {
		name := one.properties[primitive.PropertyTags]
		if one.body != string(bodies[name]) {
			s.failf("body %q came changed: %d bytes of %d", name, len(one.body), len(bodies[name]))
		}
		equal(s, "compression flag of "+name, one.message.SysFlag&1, map[bool]int32{true: 1}[name != "below"])
		if name == "text" && int(one.message.StoreSize) > len(bodies[name])/10 {
			s.failf("the record of a repeating body takes %d bytes", one.message.StoreSize)
		}
	}
}

func unicodeProperties(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	m := primitive.NewMessage(topic, []byte("身体 🚀 тело"))
	m.WithTag("标签").WithKeys([]string{"ключ1", "鍵2", "key3"})
	own := map[string]string{
		"имя": "значение", "emoji": "🎉👩‍👩‍👧", "spaces": " leading and trailing ", "punctuation": `"\{}[]:,=|&%/'`,
		"long": strings.Repeat("ü", 5000), "数": "1",
	}
	for key, value := range own {
		m.WithProperty(key, value)
	}
	m.Flag = 0x12345678
	result := s.send(s.producer(), m)
	// Not by tag: the client hashes the bytes of a tag where Java hashes its characters, so only ASCII tags match.
	s.push(group, topic, all, got.accept)
	one := got.awaitBodies(s, patience, "身体 🚀 тело")[0]
	for key, value := range own {
		equal(s, "property "+key, one.properties[key], value)
	}
	equal(s, "tags", one.message.GetTags(), "标签")
	equal(s, "keys", one.message.GetKeys(), "ключ1 鍵2 key3")
	equal(s, "unique key", one.properties[primitive.PropertyUniqueClientMessageIdKeyIndex], result.MsgID)
	equal(s, "flag", one.message.Flag, 0x12345678)
}

func readOnlyTopic(s *scope) {
	topic := s.name("t")
	client := s.admin()
	s.must(client.CreateTopic(s.ctx, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(s.broker), admin.WithPerm(4)), "create topic")
	from := s.producer()
	s.await("the route without write permission", patience, func() (bool, string) {
		_, err := client.FetchPublishMessageQueues(s.ctx, topic)
		return err == nil, fmt.Sprint(err)
	})
	equal(s, "writable queues", len(s.writableQueues(client, topic)), 0)
	_, err := from.SendSync(s.ctx, primitive.NewMessage(topic, []byte("x")))
	if err == nil || !strings.Contains(err.Error(), "route info not found") {
		s.failf("send to a read-only topic: expected no queue, got %v", err)
	}
}

func batchSend(s *scope) {
	topic, group, got := s.topic(4), s.group("g"), newInbox()
	var batch []*primitive.Message
	for _, body := range numbered("item", 0, 10) {
		m := primitive.NewMessage(topic, []byte(body)).WithKeys([]string{"key-" + body})
		m.WithProperty("own", body)
		batch = append(batch, m)
	}
	result := s.send(s.producer(), batch...)
	ids := strings.Split(result.OffsetMsgID, ",")
	equal(s, "offset ids in the answer", len(ids), 10)
	s.push(group, topic, all, got.accept)
	seen := got.awaitBodies(s, patience, numbered("item", 0, 10)...)
	onceEach(s, seen, numbered("item", 0, 10)...)
	for _, one := range seen {
		i, err := strconv.Atoi(strings.TrimPrefix(one.body, "item"))
		s.must(err, "number of "+one.body)
		equal(s, "queue of "+one.body, one.queue, result.MessageQueue.QueueId)
		equal(s, "offset of "+one.body, one.offset, result.QueueOffset+int64(i))
		equal(s, "offset id of "+one.body, one.message.OffsetMsgId, ids[i])
		equal(s, "property of "+one.body, one.properties["own"], one.body)
		equal(s, "keys of "+one.body, one.message.GetKeys(), "key-"+one.body)
	}
}

func batchTags(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	var batch []*primitive.Message
	for i, body := range numbered("item", 0, 12) {
		batch = append(batch, primitive.NewMessage(topic, []byte(body)).WithTag([]string{"A", "B", "C"}[i%3]))
	}
	from := s.producer()
	s.send(from, batch...)
	s.send(from, primitive.NewMessage(topic, []byte("last")).WithTag("B"))
	s.push(group, topic, tags("B"), got.accept)
	onceEach(s, got.awaitBodies(s, patience, "last", "item1", "item4", "item7", "item10"), "item1", "item4", "item7", "item10", "last")
}

func delayedSend(s *scope) {
	topic, group, got := s.topic(1), s.group("g"), newInbox()
	s.push(group, topic, all, got.accept)
	from := s.producer()
	s.send(from, primitive.NewMessage(topic, []byte("warm")))
	got.awaitBodies(s, patience, "warm")
	sent := time.Now()
	s.send(from, primitive.NewMessage(topic, []byte("late")).WithDelayTimeLevel(1))
	s.send(from, primitive.NewMessage(topic, []byte("soon")))
	wasQuick := time.Since(sent) < 900*time.Millisecond
	seen := got.awaitBodies(s, patience, "late", "soon")
	onceEach(s, seen, "warm", "soon", "late")
	place := func(body string) int {
		return slices.IndexFunc(seen, func(one arrival) bool { return one.body == body })
	}
	late, soon := seen[place("late")], seen[place("soon")]
	if wasQuick && late.offset < soon.offset {
		s.failf("late is stored at %d, soon at %d", late.offset, soon.offset)
	}
	if took := late.at.Sub(sent); took < 900*time.Millisecond || took > 60*time.Second {
		s.failf("delay level 1 arrived after %s", took)
	}
	equal(s, "topic of the delayed message", late.topic, topic)
}
