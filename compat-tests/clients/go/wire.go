package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// Request codes that the cases ask the broker directly, because the client has no call for them.
const (
	queryConsumerOffset    = 14
	consumerListByGroup    = 38
	offsetNotFound         = 22
	maxAnswerBytes         = 16 << 20
	ask                    = patience
	clientVersion          = 317
	startupHeartbeatsEnded = 2 * time.Second
)

// answer is a response frame.
type answer struct {
	Code      int               `json:"code"`
	Remark    string            `json:"remark"`
	ExtFields map[string]string `json:"extFields"`
	body      []byte
}

// invoke sends one request with a JSON header to the broker on a connection of its own and reads the response.
//
//	total length: 4 | codec and header length: 4 | header | body
func (s *scope) invoke(code int, fields map[string]string) answer {
	connection, err := net.DialTimeout("tcp", s.broker, ask)
	s.must(err, "connect to the broker")
	defer connection.Close()
	s.must(connection.SetDeadline(time.Now().Add(ask)), "set a deadline")
	header, err := json.Marshal(map[string]any{
		"code": code, "language": "GO", "version": clientVersion, "opaque": 1, "flag": 0, "extFields": fields,
	})
	s.must(err, "write a header")
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
	frame = append(binary.BigEndian.AppendUint32(frame, uint32(len(header))), header...)
	_, err = connection.Write(frame)
	s.must(err, "send a request")
	var lengths [8]byte
	_, err = io.ReadFull(connection, lengths[:])
	s.must(err, fmt.Sprintf("read the answer to request %d", code))
	total, headerLength := int(binary.BigEndian.Uint32(lengths[:4])), int(binary.BigEndian.Uint32(lengths[4:])&0xff_ffff)
	if total > maxAnswerBytes || headerLength+4 > total {
		s.failf("answer of %d bytes with a header of %d", total, headerLength)
	}
	rest := make([]byte, total-4)
	_, err = io.ReadFull(connection, rest)
	s.must(err, "read the rest of the answer")
	got := answer{body: rest[headerLength:]}
	s.must(json.Unmarshal(rest[:headerLength], &got), "parse the answer's header")
	return got
}

// storedOffset is the offset the broker has stored for the group, -1 when there is none.
func (s *scope) storedOffset(group string, queue *primitive.MessageQueue) int64 {
	got := s.invoke(queryConsumerOffset, map[string]string{
		"consumerGroup": group, "topic": queue.Topic, "queueId": strconv.Itoa(queue.QueueId), "setZeroIfNotFound": "false",
	})
	if got.Code == offsetNotFound {
		return -1
	}
	equal(s, "code of an offset query", got.Code, 0)
	offset, err := strconv.ParseInt(got.ExtFields["offset"], 10, 64)
	s.must(err, "stored offset")
	return offset
}

// members are the client ids of the group; the broker answers an error when there is none.
func (s *scope) members(group string) []string {
	got := s.invoke(consumerListByGroup, map[string]string{"consumerGroup": group})
	if got.Code != 0 {
		return nil
	}
	var list struct {
		ConsumerIDList []string `json:"consumerIdList"`
	}
	s.must(json.Unmarshal(got.body, &list), "parse the member list")
	return list.ConsumerIDList
}

// retiring is what push and pull consumers share at their end.
type retiring interface{ Shutdown() error }

// retire shuts a consumer of the group down that was started at the given time, and waits until so many members remain.
//
// The client sends its last start-up heartbeat a second after the start. The reference may handle a heartbeat after the
// close of its connection and then keeps a dead member, with its queues, for 120 s: so never in the first moments.
func (s *scope) retire(which retiring, started time.Time, group string, remaining int) {
	select {
	case <-time.After(time.Until(started.Add(startupHeartbeatsEnded))):
	case <-s.ctx.Done():
	}
	s.must(which.Shutdown(), "shut a consumer of "+group+" down")
	s.await(fmt.Sprintf("%d members of %s", remaining, group), patience, func() (bool, string) {
		now := s.members(group)
		return len(now) == remaining, strings.Join(now, " ")
	})
}

// awaitStored waits until the group's stored offsets of the topic's queues add up to the number of consumed messages:
// the client sends them one-way, and the next consumer may ask before they are handled.
func (s *scope) awaitStored(group, topic string, consumed int64) {
	queues := s.writableQueues(s.admin(), topic)
	s.await(fmt.Sprintf("offsets of %s add up to %d", group, consumed), patience, func() (bool, string) {
		sum := int64(0)
		for _, queue := range queues {
			sum += max(0, s.storedOffset(group, queue))
		}
		return sum == consumed, strconv.FormatInt(sum, 10)
	})
}
