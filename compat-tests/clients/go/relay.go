package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// rewrite changes a frame (without its length) on its way.
type rewrite func(frame []byte) []byte

func unchanged(frame []byte) []byte { return frame }

// relay passes frames between clients and one server through the rewrites, and returns the address it listens on.
func (s *scope) relay(server string, request, response rewrite) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err, "listen for the relay")
	s.onEnd(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go passFrames(client, upstream, request)
			go passFrames(upstream, client, response)
		}
	}()
	return listener.Addr().String()
}

// passFrames copies frames until one side ends, then ends the other.
func passFrames(from, to net.Conn, change rewrite) {
	defer from.Close()
	defer to.Close()
	for {
		var length [4]byte
		if _, err := io.ReadFull(from, length[:]); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(length[:])
		if size > maxAnswerBytes {
			return
		}
		frame := make([]byte, size)
		if _, err := io.ReadFull(from, frame); err != nil {
			return
		}
		frame = change(frame)
		if _, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			return
		}
	}
}

// strictOffsetQueries makes the client's offset queries (14) ask for "not found" where the broker would say 0, and tells
// of each topic that is pulled (11).
func strictOffsetQueries(frame []byte, pulling func(topic string)) []byte {
	if len(frame) < 4 || frame[0] != 0 {
		return frame
	}
	length := int(binary.BigEndian.Uint32(frame) & 0xff_ffff)
	if 4+length > len(frame) {
		return frame
	}
	header := map[string]any{}
	reader := json.NewDecoder(bytes.NewReader(frame[4 : 4+length]))
	reader.UseNumber()
	if reader.Decode(&header) != nil {
		return frame
	}
	fields, ok := header["extFields"].(map[string]any)
	if !ok {
		return frame
	}
	if header["code"] == json.Number("11") {
		if topic, ok := fields["topic"].(string); ok {
			pulling(topic)
		}
	}
	if header["code"] != json.Number("14") {
		return frame
	}
	fields["setZeroIfNotFound"] = "false"
	text, err := json.Marshal(header)
	if err != nil {
		return frame
	}
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...), frame[4+length:]...)
}

// onOldTopic makes a consumer see every topic as old: its client reaches the broker through a relay that turns a missing
// offset into "not found" (22), as the broker itself answers once a queue's first message is gone. The inbox gets the
// topic of each pull, since the client tells nobody when it has found its place.
func (s *scope) onOldTopic() (consumer.Option, *inbox) {
	pulls := newInbox()
	broker := s.relay(s.broker, func(frame []byte) []byte {
		return strictOffsetQueries(frame, func(topic string) {
			pulls.put(&primitive.MessageExt{Message: primitive.Message{Body: []byte(topic)}})
		})
	}, unchanged)
	nameServer := s.relay(s.nameServers[0], unchanged, func(frame []byte) []byte {
		return bytes.ReplaceAll(frame, []byte(`"`+s.broker+`"`), []byte(`"`+broker+`"`))
	})
	return consumer.WithNsResolver(primitive.NewPassthroughResolver([]string{nameServer})), pulls
}
