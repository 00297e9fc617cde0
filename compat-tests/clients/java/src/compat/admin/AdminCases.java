package compat.admin;

import static compat.Env.*;

import compat.Env;
import compat.Suite;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.admin.ConsumeStats;
import org.apache.rocketmq.remoting.protocol.admin.OffsetWrapper;
import org.apache.rocketmq.remoting.protocol.body.CMResult;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.body.Connection;
import org.apache.rocketmq.remoting.protocol.body.ConsumeMessageDirectlyResult;
import org.apache.rocketmq.remoting.protocol.body.ConsumerConnection;
import org.apache.rocketmq.remoting.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.remoting.protocol.body.KVTable;
import org.apache.rocketmq.remoting.protocol.body.ProducerConnection;
import org.apache.rocketmq.remoting.protocol.body.QueueTimeSpan;
import org.apache.rocketmq.remoting.protocol.body.SubscriptionGroupWrapper;
import org.apache.rocketmq.remoting.protocol.body.TopicConfigSerializeWrapper;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** The admin library that mqadmin and the dashboard are made of, and what only a 5.x client has. */
public final class AdminCases {
    private AdminCases() { }

    public static void register(Suite suite) {
        DeskCases.register(suite);
        suite.add("A07", AdminCases::clusterAndRoutes);
        suite.add("L04", AdminCases::topicsAndGroups);
        suite.add("L05", AdminCases::searchByAdmin);
        suite.add("N06", AdminCases::keyValues);
        suite.add("M22", AdminCases::consumerDiagnosis);
        suite.add("M23", AdminCases::consumeOneNow);
        suite.add("S27", AdminCases::otherCompressions);
        suite.add("M24", AdminCases::heartbeatV2);
        suite.add("M10", AdminCases::groupsAsTheyAre);
        suite.add("M25", AdminCases::membersThatDiffer);
        suite.add("B06", AdminCases::gatheredSends);
    }

    private static DefaultMQAdminExt admin() throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(PATIENCE_MS);
        admin.setNamesrvAddr(namesrv);
        admin.setInstanceName(name("admin"));
        own(admin::shutdown);
        admin.start();
        return admin;
    }

    private static void clusterAndRoutes() throws Exception {
        DefaultMQAdminExt admin = admin();
        ClusterInfo cluster = admin.examineBrokerClusterInfo();
        same(Set.of("broker-a"), cluster.getClusterAddrTable().get("DefaultCluster"), "brokers of the cluster");
        same(broker, cluster.getBrokerAddrTable().get("broker-a").getBrokerAddrs().get(0L), "address of the master");
        String topic = topic(3);
        TopicRouteData route = admin.examineTopicRouteInfo(topic);
        same(3, route.getQueueDatas().get(0).getReadQueueNums(), "read queues");
        check(admin.fetchAllTopicList().getTopicList().contains(topic), "topic list");
        KVTable runtime = admin.fetchBrokerRuntimeStats(broker);
        for (String key : List.of("brokerVersionDesc", "bootTimestamp", "commitLogMinOffset", "commitLogMaxOffset", "putTps", "msgPutTotalTodayNow")) {
            check(runtime.getTable().containsKey(key), "runtime key " + key + " of " + runtime.getTable().keySet());
        }
        same("broker-a", admin.getBrokerConfig(broker).getProperty("brokerName"), "broker config");
    }

    private static void topicsAndGroups() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = name("Admin");
        TopicConfig config = new TopicConfig(topic, 5, 5, 6);
        admin.createAndUpdateTopicConfig(broker, config);
        eventually(80, "route", () -> admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getWriteQueueNums() == 5);
        same(5, admin.examineTopicConfig(broker, topic).getReadQueueNums(), "topic config");
        TopicConfigSerializeWrapper topics = admin.getAllTopicConfig(broker, 5000);
        check(topics.getTopicConfigTable().containsKey(topic) && topics.getDataVersion() != null, "all topics");
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName(name("AdminGroup"));
        group.setRetryMaxTimes(3);
        admin.createAndUpdateSubscriptionGroupConfig(broker, group);
        SubscriptionGroupWrapper groups = admin.getAllSubscriptionGroup(broker, 5000);
        same(3, groups.getSubscriptionGroupTable().get(group.getGroupName()).getRetryMaxTimes(), "retryMaxTimes");
        same(3, admin.examineSubscriptionGroupConfig(broker, group.getGroupName()).getRetryMaxTimes(), "one group");
        admin.deleteTopicInBroker(Set.of(broker), topic);
        admin.deleteTopicInNameServer(Set.of(namesrv.split(";")), "DefaultCluster", topic);
        eventually(80, "deleted", () -> !admin.fetchAllTopicList().getTopicList().contains(topic));
    }

    private static void searchByAdmin() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = topic(1);
        SendResult sent = producer().send(new Message(topic, "tag", "adminkey", bytes("found")));
        eventually(80, "by key", () -> admin.queryMessage(topic, "adminkey", 10, 0, Long.MAX_VALUE).getMessageList().size() == 1);
        same("found", text(admin.viewMessage(topic, sent.getOffsetMsgId())), "by offset id");
        same("found", text(admin.queryMessage("DefaultCluster", topic, sent.getMsgId())), "by unique key");
        same(1L, admin.maxOffset(sent.getMessageQueue()), "max offset");
        same(0L, admin.minOffset(sent.getMessageQueue()), "min offset");
        same(0L, admin.searchOffset(sent.getMessageQueue(), 0), "offset of a time before");
    }

    private static void keyValues() throws Exception {
        DefaultMQAdminExt admin = admin();
        String space = name("space");
        admin.createAndUpdateKvConfig(space, "k", "v");
        same("v", admin.getKVConfig(space, "k"), "value");
        same(Map.of("k", "v"), admin.getKVListByNamespace(space).getTable(), "namespace");
        admin.deleteKvConfig(space, "k");
        try {
            admin.getKVConfig(space, "k");
            throw new AssertionError("still there");
        } catch (MQClientException expected) {
            same(22, expected.getResponseCode(), "code");
        }
    }

    private static void consumerDiagnosis() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = topic(2);
        String group = group();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        List<MessageExt> received = consume(consumer, topic, "*");
        producer().send(new Message(topic, bytes("x")));
        eventually(80, "consumed", () -> received.size() == 1);
        ConsumerConnection connections = admin.examineConsumerConnectionInfo(group);
        same(1, connections.getConnectionSet().size(), "connections");
        String client = connections.getConnectionSet().iterator().next().getClientId();
        ConsumerRunningInfo info = admin.getConsumerRunningInfo(group, client, true);
        same(2L, info.getMqTable().keySet().stream().filter(queue -> queue.getTopic().equals(topic)).count(), "queues of the consumer");
        check(info.getJstack() != null && !info.getJstack().isEmpty(), "stack traces");
        try {
            admin.getConsumerRunningInfo(group, "nobody", false);
            throw new AssertionError("info of nobody");
        } catch (MQClientException expected) {
            check(expected.getMessage().contains("not online"), expected.getMessage());
        }
    }

    private static void consumeOneNow() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = topic(1);
        String group = group();
        List<MessageExt> received = consume(pushConsumer(group), topic, "*");
        SendResult sent = producer().send(new Message(topic, bytes("twice")));
        eventually(80, "consumed", () -> received.size() == 1);
        String client = admin.examineConsumerConnectionInfo(group).getConnectionSet().iterator().next().getClientId();
        ConsumeMessageDirectlyResult result = admin.consumeMessageDirectly(group, client, topic, sent.getOffsetMsgId());
        same(CMResult.CR_SUCCESS, result.getConsumeResult(), "result");
        same(2, received.size(), "deliveries");
    }

    private static void otherCompressions() throws Exception {
        for (CompressionType type : List.of(CompressionType.LZ4, CompressionType.ZSTD)) {
            DefaultMQProducer compressing = new DefaultMQProducer(name("P"));
            compressing.setNamesrvAddr(namesrv);
            compressing.setInstanceName(name("i"));
            compressing.setCompressType(type);
            compressing.setSendMsgTimeout(PATIENCE_MS);
            own(compressing::shutdown);
            compressing.start();
            String topic = topic(1);
            byte[] body = "again and again. ".repeat(3000).getBytes();
            compressing.send(new Message(topic, body));
            MessageExt message = first(topic);
            same(type.getCompressionFlag() | 1, storedFlag(topic) & 0x701, type + " in the stored flag");
            check(Arrays.equals(body, message.getBody()), type + ": body differs");
        }
    }

    private static void heartbeatV2() throws Exception {
        String topic = topic(1);
        DefaultMQPushConsumer consumer = pushConsumer(group());
        consumer.setUseHeartbeatV2(true);
        List<MessageExt> received = consume(consumer, topic, "*");
        for (int i = 0; i < 3; i++) {
            consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock();
        }
        producer().send(new Message(topic, bytes("x")));
        eventually(80, "consumed", () -> received.stream().map(Env::text).collect(Collectors.toList()).equals(List.of("x")));
    }

    private static void groupsAsTheyAre() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = topic(2);
        String group = group();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        List<MessageExt> received = consume(consumer, topic, "*");
        DefaultMQProducer sender = new DefaultMQProducer(name("P"));
        sender.setNamesrvAddr(namesrv);
        sender.setInstanceName(name("i"));
        sender.setSendMsgTimeout(PATIENCE_MS);
        own(sender::shutdown);
        sender.start();
        for (int i = 0; i < 8; i++) {
            sender.send(new Message(topic, bytes("m" + i)));
        }
        eventually(80, "consumed", () -> received.size() == 8);
        consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
        ConsumeStats[] progress = new ConsumeStats[1];
        eventually(80, "all is committed", () -> {
            progress[0] = admin.examineConsumeStats(group, topic);
            return progress[0].computeTotalDiff() == 0;
        });
        same(8L, progress[0].getOffsetTable().values().stream().mapToLong(OffsetWrapper::getConsumerOffset).sum(), "offsets of the group");
        same(8L, progress[0].getOffsetTable().values().stream().mapToLong(OffsetWrapper::getBrokerOffset).sum(), "ends of the queues");

        ConsumerConnection members = admin.examineConsumerConnectionInfo(group);
        String client = consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId();
        same(List.of(client), members.getConnectionSet().stream().map(Connection::getClientId).collect(Collectors.toList()), "members");
        same("*", members.getSubscriptionTable().get(topic).getSubString(), "subscription");
        ProducerConnection senders = admin.examineProducerConnectionInfo(sender.getProducerGroup(), topic);
        same(List.of(sender.getDefaultMQProducerImpl().getMqClientFactory().getClientId()),
            senders.getConnectionSet().stream().map(Connection::getClientId).collect(Collectors.toList()), "producers");

        same(Set.of(group), admin.queryTopicConsumeByWho(topic).getGroupList(), "who consumes the topic");
        check(admin.queryTopicsByConsumer(group).getTopicList().contains(topic), "what the group consumes");
        Map<String, Map<MessageQueue, Long>> held = admin.getConsumeStatus(topic, group, "");
        same(Set.of(client), held.keySet(), "who tells its offsets");
        same(8L, held.get(client).values().stream().mapToLong(Long::longValue).sum(), "offsets that the member holds");
        List<QueueTimeSpan> spans = admin.queryConsumeTimeSpan(topic, group);
        same(2, spans.size(), "queues with times");
        for (QueueTimeSpan span : spans) {
            same(span.getMaxTimeStamp(), span.getConsumeTimeStamp(), "consumed up to the last message");
            same(0L, span.getDelayTime(), "nothing waits");
        }
    }

    /** Two members that do not subscribe alike: whatever a broker says of it, both go on. */
    private static void membersThatDiffer() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = topic(1);
        String group = group();
        DefaultMQPushConsumer one = pushConsumer(group);
        consume(one, topic, "A");
        DefaultMQPushConsumer other = pushConsumer(group);
        consume(other, topic, "B");
        eventually(80, "both are members", () -> admin.examineConsumerConnectionInfo(group).getConnectionSet().size() == 2);
        for (DefaultMQPushConsumer consumer : List.of(one, other)) {
            // Not sent while another thread of the client sends one.
            eventually(80, "heartbeat", () -> consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().sendHeartbeatToAllBrokerWithLock());
        }
        same(2, admin.examineConsumerConnectionInfo(group).getConnectionSet().size(), "members");
        same(1L, admin.examineConsumerConnectionInfo(group).getSubscriptionTable().keySet().stream().filter(topic::equals).count(), "subscription");
    }

    private static void gatheredSends() throws Exception {
        String topic = topic(2);
        DefaultMQProducer gathering = new DefaultMQProducer(name("P"));
        gathering.setNamesrvAddr(namesrv);
        gathering.setInstanceName(name("i"));
        gathering.setAutoBatch(true);
        gathering.setSendMsgTimeout(PATIENCE_MS);
        own(gathering::shutdown);
        gathering.start();
        List<SendResult> results = new CopyOnWriteArrayList<>();
        List<Throwable> errors = new CopyOnWriteArrayList<>();
        for (int i = 0; i < 50; i++) {
            gathering.send(new Message(topic, "tag", "key" + i, bytes("m" + i)), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    results.add(result);
                }

                @Override
                public void onException(Throwable error) {
                    errors.add(error);
                }
            });
        }
        eventually(80, "every callback", () -> results.size() + errors.size() == 50);
        same(List.of(), errors, "errors");
        same(50L, results.stream().map(SendResult::getOffsetMsgId).distinct().count(), "ids");
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        eventually(80, "all consumed", () -> received.size() >= 50);
        same(50L, received.stream().map(Env::text).distinct().count(), "messages");
        same(50, received.size(), "deliveries");
    }
}
