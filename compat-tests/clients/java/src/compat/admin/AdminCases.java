package compat.admin;

import static compat.Env.*;

import compat.Env;
import compat.Suite;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.body.CMResult;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.body.ConsumeMessageDirectlyResult;
import org.apache.rocketmq.remoting.protocol.body.ConsumerConnection;
import org.apache.rocketmq.remoting.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.remoting.protocol.body.KVTable;
import org.apache.rocketmq.remoting.protocol.body.SubscriptionGroupWrapper;
import org.apache.rocketmq.remoting.protocol.body.TopicConfigSerializeWrapper;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** The admin library that mqadmin and the dashboard are made of, and what only a 5.x client has. */
public final class AdminCases {
    private AdminCases() { }

    public static void register(Suite suite) {
        suite.add("A07", AdminCases::clusterAndRoutes);
        suite.add("A10", AdminCases::topicsAndGroups);
        suite.add("A11", AdminCases::searchByAdmin);
        suite.add("A12", AdminCases::keyValues);
        suite.add("A13", AdminCases::consumerDiagnosis);
        suite.add("A14", AdminCases::consumeOneNow);
        suite.add("S23", AdminCases::otherCompressions);
        suite.add("M16", AdminCases::heartbeatV2);
    }

    private static DefaultMQAdminExt admin() throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000);
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
        eventually(10, "route", () -> admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getWriteQueueNums() == 5);
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
        check(!admin.fetchAllTopicList().getTopicList().contains(topic), "deleted");
    }

    private static void searchByAdmin() throws Exception {
        DefaultMQAdminExt admin = admin();
        String topic = topic(1);
        SendResult sent = producer().send(new Message(topic, "tag", "adminkey", bytes("found")));
        eventually(10, "by key", () -> admin.queryMessage(topic, "adminkey", 10, 0, Long.MAX_VALUE).getMessageList().size() == 1);
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
}
