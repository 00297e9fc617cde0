package main

import (
	"fmt"
	"slices"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func adminCases() []testCase {
	return []testCase{
		{"GA01", groupCore, "create a topic twice, change its queues: the route follows", createAndChangeTopic},
		{"GA05", groupCore, "a deleted topic leaves route and list; created again it starts at offset 0", deleteTopic},
		{"GA06", groupCore, "the name server's topic list holds created topics", topicList},
		{"GA07", groupCore, "the broker's group list (201) parses and holds a consumer's group with the defaults", groupList},
	}
}

func createAndChangeTopic(s *scope) {
	topic := s.name("t")
	client := s.admin()
	for _, queues := range []int{6, 6, 3, 8} {
		s.createTopic(topic, queues)
		found := s.writableQueues(client, topic)
		for i, queue := range found {
			equal(s, "queue id", queue.QueueId, i)
			equal(s, "topic", queue.Topic, topic)
		}
		s.sendBodies(s.producer(), topic, fmt.Sprintf("of%d-", queues), 0, queues)
	}
}

func deleteTopic(s *scope) {
	topic := s.topic(1)
	client := s.admin()
	equal(s, "offset of the first send", s.send(s.producer(), primitive.NewMessage(topic, []byte("x"))).QueueOffset, 0)
	equal(s, "offset of the second send", s.send(s.producer(), primitive.NewMessage(topic, []byte("y"))).QueueOffset, 1)
	s.must(client.DeleteTopic(s.ctx, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(s.broker), admin.WithNameSrvAddr(s.nameServers)), "delete the topic")
	s.awaitRoute(client, topic, 0)
	s.await("the topic is off the list", patience, func() (bool, string) {
		list, err := client.FetchAllTopicList(s.ctx)
		s.must(err, "list topics")
		return !slices.Contains(list.TopicList, topic), "still listed"
	})
	s.createTopic(topic, 1)
	equal(s, "offset after the topic was created again", s.send(s.producer(), primitive.NewMessage(topic, []byte("z"))).QueueOffset, 0)
	// Deleting what does not exist is no error.
	s.must(client.DeleteTopic(s.ctx, admin.WithTopicDelete(s.name("never")), admin.WithBrokerAddrDelete(s.broker), admin.WithNameSrvAddr(s.nameServers)), "delete an unknown topic")
}

func topicList(s *scope) {
	topic := s.topic(2)
	list, err := s.admin().FetchAllTopicList(s.ctx)
	s.must(err, "list topics")
	for _, name := range []string{topic, "TBW102", "SCHEDULE_TOPIC_XXXX", "SELF_TEST_TOPIC", "DefaultCluster"} {
		if !slices.Contains(list.TopicList, name) {
			s.failf("topic list lacks %s: %v", name, list.TopicList)
		}
	}
}

func groupList(s *scope) {
	topic, group := s.topic(1), s.group("g")
	s.push(group, topic, all, newInbox().accept)
	client := s.admin()
	s.await("the group is listed", patience, func() (bool, string) {
		list, err := client.GetAllSubscriptionGroup(s.ctx, s.broker, patience)
		s.must(err, "list groups")
		config, found := list.SubscriptionGroupTable[group]
		if !found {
			return false, fmt.Sprintf("%d groups", len(list.SubscriptionGroupTable))
		}
		equal(s, "group", config, admin.SubscriptionGroupConfig{
			GroupName: group, ConsumeEnable: true, ConsumeFromMinEnable: true, ConsumeBroadcastEnable: true, RetryMaxTimes: 16,
			RetryQueueNums: 1, BrokerId: 0, WhichBrokerWhenConsumeSlowly: 1, NotifyConsumerIdsChangedEnable: true,
		})
		if list.DataVersion.Timestamp == 0 {
			s.failf("the group list has no data version")
		}
		return true, ""
	})
}
