package compat.admin;

import static compat.Env.*;

import compat.Suite;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.protocol.admin.ConsumeStats;
import org.apache.rocketmq.remoting.protocol.body.ConsumeStatsList;
import org.apache.rocketmq.remoting.protocol.admin.TopicOffset;
import org.apache.rocketmq.remoting.protocol.body.BrokerStatsData;
import org.apache.rocketmq.remoting.protocol.body.BrokerStatsItem;
import org.apache.rocketmq.remoting.protocol.body.CMResult;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.body.Connection;
import org.apache.rocketmq.remoting.protocol.body.ConsumeStatus;
import org.apache.rocketmq.remoting.protocol.body.ConsumerConnection;
import org.apache.rocketmq.remoting.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.remoting.protocol.body.ProducerInfo;
import org.apache.rocketmq.remoting.protocol.body.QueryConsumeQueueResponseBody;
import org.apache.rocketmq.remoting.protocol.body.TopicList;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.admin.api.MessageTrack;
import org.apache.rocketmq.tools.admin.api.TrackType;

/** What rocketmq-exporter, rocketmq-dashboard and operators ask of a cluster with traffic, and what they read of the answers. */
final class DeskCases {
    private static final int SENT = 20;

    private DeskCases() { }

    static void register(Suite suite) {
        suite.add("E01", DeskCases::exporter);
        suite.add("E02", DeskCases::dashboardReads);
        suite.add("E03", DeskCases::dashboardChanges);
        suite.add("E04", DeskCases::operators);
    }

    private static DefaultMQAdminExt admin(boolean byFastPort) throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(PATIENCE_MS);
        admin.setNamesrvAddr(namesrv);
        admin.setInstanceName(name("desk"));
        admin.setVipChannelEnabled(byFastPort);
        own(admin::shutdown);
        admin.start();
        return admin;
    }

    /** A topic with messages, and a group that has consumed them; one was sent back once. */
    private static final class Traffic {
        final String topic = topic(2);
        final String group = group();
        final DefaultMQProducer sender = new DefaultMQProducer(name("P"));
        final DefaultMQPushConsumer consumer = pushConsumer(group);
        final List<MessageExt> received = new CopyOnWriteArrayList<>();
        final List<SendResult> sent = new CopyOnWriteArrayList<>();

        Traffic() throws Exception {
            sender.setNamesrvAddr(namesrv);
            sender.setInstanceName(name("i"));
            sender.setSendMsgTimeout(PATIENCE_MS);
            own(sender::shutdown);
            sender.start();
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                boolean again = messages.stream().anyMatch(message -> text(message).equals("m0") && message.getReconsumeTimes() == 0);
                received.addAll(messages);
                context.setDelayLevelWhenNextConsume(1);
                return again ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            own(consumer::shutdown);
            consumer.start();
            for (int i = 0; i < SENT; i++) {
                sent.add(sender.send(new Message(topic, "tag", "desk" + i, bytes("m" + i))));
            }
            eventually(80, "consumed, one of them twice", () -> received.size() >= SENT + 1);
            eventually(80, "all is committed", () -> {
                // What a listener has just left is not among it yet.
                consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
                Thread.sleep(200);
                return committed(group, topic) == SENT;
            });
        }

        /** One more message when the last one was half a minute ago. */
        void keepUp(long[] last) throws Exception {
            if (System.nanoTime() - last[0] > 30_000_000_000L) {
                oneMore();
                last[0] = System.nanoTime();
            }
        }

        /** Sends one more message, which is sent back once, too. */
        void oneMore() throws Exception {
            sender.send(new Message(topic, "tag", "more", bytes("m0")));
        }
    }

    // ---- rocketmq-exporter: its tasks one after the other

    private static void exporter() throws Exception {
        DefaultMQAdminExt admin = admin(false);
        Traffic traffic = new Traffic();
        String topic = traffic.topic;
        String group = traffic.group;
        ClusterInfo cluster = admin.examineBrokerClusterInfo();
        String master = cluster.getBrokerAddrTable().get("broker-a").getBrokerAddrs().get(MixAll.MASTER_ID);
        same(broker, master, "master");
        eventually(80, "topics", () -> admin.fetchAllTopicList().getTopicList().containsAll(List.of(topic, "%RETRY%" + group)));

        List<TopicOffset> offsets = List.copyOf(admin.examineTopicStats(topic).getOffsetTable().values());
        same((long) SENT, offsets.stream().mapToLong(TopicOffset::getMaxOffset).sum(), "ends of the queues");
        check(offsets.stream().allMatch(offset -> offset.getLastUpdateTimestamp() > 0), "times of the last messages");
        List<ProducerInfo> producers = admin.getAllProducerInfo(master).getData().get(traffic.sender.getProducerGroup());
        same(1, producers.size(), "producers");
        check(producers.get(0).getRemoteIP().startsWith("/127.0.0.1:"), "address of the producer: " + producers.get(0).getRemoteIP());

        check(admin.queryTopicConsumeByWho(topic).getGroupList().contains(group), "groups of the topic");
        ConsumerConnection online = admin.examineConsumerConnectionInfo(group);
        same(MessageModel.CLUSTERING, online.getMessageModel(), "model");
        Connection member = online.getConnectionSet().iterator().next();
        check(member.getClientAddr().startsWith("127.0.0.1:"), "address of the member: " + member.getClientAddr());
        eventually(80, "all committed", () -> admin.examineConsumeStats(group, topic).computeTotalDiff() == 0);
        ConsumerRunningInfo info = admin.getConsumerRunningInfo(group, member.getClientId(), false);
        ConsumeStatus status = info.getStatusTable().get(topic);
        check(status != null && status.getConsumeOKTPS() >= 0 && status.getPullRT() >= 0, "rates of the member");

        // A statistic shows with the next look at it, ten seconds later at most; after a minute it is over. So there is always some.
        traffic.oneMore();
        long[] last = {System.nanoTime()};
        for (String[] counted : new String[][] {
            {"TOPIC_PUT_NUMS", topic}, {"TOPIC_PUT_SIZE", topic}, {"GROUP_GET_NUMS", topic + "@" + group},
            {"GROUP_GET_SIZE", topic + "@" + group}, {"SNDBCK_PUT_NUMS", topic + "@" + group},
            {"TOPIC_PUT_NUMS", "%RETRY%" + group}, {"GROUP_GET_NUMS", "%RETRY%" + group + "@" + group},
            {"BROKER_PUT_NUMS", "DefaultCluster"}, {"BROKER_GET_NUMS", "DefaultCluster"}}) {
            String what = counted[0] + " of " + counted[1];
            BrokerStatsItem[] minute = new BrokerStatsItem[1];
            eventually(80, what, () -> {
                traffic.keepUp(last);
                minute[0] = minute(admin, master, counted[0], counted[1]);
                return minute[0] != null && minute[0].getSum() > 0;
            });
            check(minute[0].getTps() > 0, what + ": rate " + minute[0].getTps());
        }
        long sends = traffic.sent.stream().map(sent -> sent.getMessageQueue().getQueueId()).filter(queue -> queue == 0).count();
        check(minuteOrHour(admin, master, "TOPIC_PUT_LATENCY", "0@" + topic) == (sends > 0), "latency of sends");
        check(minuteOrHour(admin, master, "GROUP_GET_LATENCY", "0@" + topic + "@" + group) == (sends > 0), "latency of reads");
        same(null, minute(admin, master, "TOPIC_PUT_NUMS", "no-such"), "what nobody sent");
        eventually(80, "rate of the group", () -> {
            traffic.keepUp(last);
            return admin.examineConsumeStats(group, topic).getConsumeTps() > 0;
        });

        // A delayed message was sent back, so the level has come past 0.
        eventually(80, "runtime", () -> admin.fetchBrokerRuntimeStats(master).getTable().get("putTps").split(" ")[0].length() > 0);
        runtime(admin.fetchBrokerRuntimeStats(master).getTable());
    }

    private static BrokerStatsItem minute(DefaultMQAdminExt admin, String address, String name, String key) throws Exception {
        try {
            return admin.viewBrokerStatsData(address, name, key).getStatsMinute();
        } catch (MQClientException missing) {
            same(1, missing.getResponseCode(), "code for a statistic that is not there");
            return null;
        }
    }

    private static boolean minuteOrHour(DefaultMQAdminExt admin, String address, String name, String key) throws Exception {
        try {
            BrokerStatsData data = admin.viewBrokerStatsData(address, name, key);
            return data.getStatsMinute() != null && data.getStatsHour() != null && data.getStatsDay() != null;
        } catch (MQClientException missing) {
            return false;
        }
    }

    /** Every key that the exporter parses, parsed as it does. */
    private static void runtime(Map<String, String> table) {
        for (String key : List.of("msgPutTotalTodayNow", "msgGetTotalTodayNow", "msgPutTotalTodayMorning", "msgGetTotalTodayMorning",
            "msgPutTotalYesterdayMorning", "msgGetTotalYesterdayMorning", "sendThreadPoolQueueHeadWaitTimeMills",
            "queryThreadPoolQueueHeadWaitTimeMills", "pullThreadPoolQueueHeadWaitTimeMills", "queryThreadPoolQueueSize",
            "pullThreadPoolQueueSize", "sendThreadPoolQueueSize", "sendThreadPoolQueueCapacity", "pullThreadPoolQueueCapacity",
            "queryThreadPoolQueueCapacity", "commitLogMinOffset", "commitLogMaxOffset", "bootTimestamp", "dispatchMaxBuffer",
            "pageCacheLockTimeMills", "getMessageEntireTimeMax", "putMessageTimesTotal", "startAcceptSendRequestTimeStamp",
            "putMessageEntireTimeMax", "earliestMessageTimeStamp", "remainTransientStoreBufferNumbs", "putMessageSizeTotal",
            "dispatchBehindBytes")) {
            check(table.get(key) != null && Long.parseLong(table.get(key)) >= 0, key + "=" + table.get(key));
        }
        for (String key : List.of("consumeQueueDiskRatio", "commitLogDiskRatio", "putMessageAverageSize", "putLatency99", "putLatency999")) {
            check(table.get(key) != null && Double.parseDouble(table.get(key)) >= 0, key + "=" + table.get(key));
        }
        for (String key : List.of("putTps", "getMissTps", "getTransferredTps", "getTotalTps", "getFoundTps")) {
            String[] rates = table.get(key).split(" ");
            check(rates.length >= 1 && Arrays.stream(rates).allMatch(rate -> Double.parseDouble(rate) >= 0), key + "=" + table.get(key));
        }
        String[] steps = table.get("putMessageDistributeTime").split(" ");
        same(13, steps.length, "steps of putMessageDistributeTime");
        for (String step : steps) {
            Integer.parseInt(step.split(":")[1]);
        }
        String[] unflushed = table.get("remainHowManyDataToFlush").split(" ");
        check(Double.parseDouble(unflushed[0]) >= 0 && "BKMGTPE".indexOf(unflushed[1].charAt(0)) >= 0, table.get("remainHowManyDataToFlush"));
        String[] capacity = table.get("commitLogDirCapacity").split(" ");
        for (int at : new int[] {2, 6}) {
            check(Double.parseDouble(capacity[at]) > 0 && "BKMGTPE".indexOf(capacity[at + 1].charAt(0)) >= 0, table.get("commitLogDirCapacity"));
        }
        check(table.get("runtime").startsWith("[ ") && table.get("brokerVersionDesc").equals("V5_5_0"), "runtime and version");
        check(Long.parseLong(table.get("putMessageTimesTotal")) >= SENT && Long.parseLong(table.get("msgPutTotalTodayNow")) >= SENT, "messages");
        for (String key : table.keySet()) {
            if (key.startsWith("scheduleMessageOffset_")) {
                String[] offsets = table.get(key).split(",");
                check(Long.parseLong(offsets[0]) <= Long.parseLong(offsets[1]), key + "=" + table.get(key));
            }
        }
        check(table.containsKey("scheduleMessageOffset_1"), "progress of delay level 1");
    }

    // ---- rocketmq-dashboard: it speaks to the fast port unless told otherwise

    private static void dashboardReads() throws Exception {
        DefaultMQAdminExt admin = admin(true);
        Traffic traffic = new Traffic();
        String topic = traffic.topic;
        String group = traffic.group;
        // Cluster page.
        ClusterInfo cluster = admin.examineBrokerClusterInfo();
        same(Set.of("broker-a"), cluster.getClusterAddrTable().get("DefaultCluster"), "brokers");
        for (String rate : admin.fetchBrokerRuntimeStats(broker).getTable().get("getTotalTps").trim().split(" ")) {
            check(rate.isEmpty() || Double.parseDouble(rate) >= 0, "getTotalTps");
        }
        Properties settings = admin.getBrokerConfig(broker);
        same(List.of("broker-a", "DefaultCluster", "6"), List.of(settings.getProperty("brokerName"),
            settings.getProperty("brokerClusterName"), settings.getProperty("brokerPermission")), "settings");
        // Topic pages.
        TopicList system = admin.getDefaultMQAdminExtImpl().getMqClientInstance().getMQClientAPIImpl().getSystemTopicList(20_000);
        check(system.getTopicList().containsAll(List.of("DefaultCluster", "broker-a", "SCHEDULE_TOPIC_XXXX", "TBW102")), "system topics: " + system.getTopicList());
        check(admin.getAllTopicConfig(broker, 10_000).getTopicConfigTable().containsKey("TBW102"), "all topics");
        Set<String> users = new HashSet<>(admin.getUserTopicConfig(broker, true, 10_000).getTopicConfigTable().keySet());
        check(users.contains(topic) && !users.contains("TBW102"), "topics of users");
        check(admin.fetchTopicsByCLuster("DefaultCluster").getTopicList().contains(topic), "topics of the cluster");
        same(Set.of("DefaultCluster"), admin.getTopicClusterList(topic), "clusters of the topic");
        same(2, admin.examineTopicConfig(broker, topic).getReadQueueNums(), "read queues");
        same(2, admin.examineTopicStats(topic).getOffsetTable().size(), "queues");
        same(broker, admin.examineTopicRouteInfo(topic).getBrokerDatas().get(0).selectBrokerAddr(), "route");
        check(admin.queryTopicConsumeByWho(topic).getGroupList().contains(group), "groups of the topic");
        // Group pages.
        check(admin.getAllSubscriptionGroup(broker, 30_000).getSubscriptionGroupTable().containsKey(group), "all groups");
        Set<String> groups = admin.getUserSubscriptionGroup(broker, 30_000).getSubscriptionGroupTable().keySet();
        check(groups.contains(group) && !groups.contains("TOOLS_CONSUMER"), "groups of users");
        same(group, admin.examineSubscriptionGroupConfig(broker, group).getGroupName(), "one group");
        ConsumeStats stats = admin.examineConsumeStats(broker, group, topic, 3000);
        same(2, stats.getOffsetTable().size(), "queues of the group");
        check(admin.examineConsumeStats(group).getOffsetTable().keySet().stream().map(MessageQueue::getTopic).collect(Collectors.toSet())
            .containsAll(Set.of(topic, "%RETRY%" + group)), "topics of the group");
        ConsumerConnection online = admin.examineConsumerConnectionInfo(group, broker);
        String client = online.getConnectionSet().iterator().next().getClientId();
        same(2L, admin.getConsumerRunningInfo(group, client, false).getMqTable().keySet().stream()
            .filter(queue -> queue.getTopic().equals(topic)).count(), "queues of the member");
        same(1, admin.examineProducerConnectionInfo(traffic.sender.getProducerGroup(), topic).getConnectionSet().size(), "producers");
        // Message pages.
        SendResult sent = traffic.sent.get(3);
        eventually(80, "by key", () -> admin.queryMessage(topic, "desk3", 64, 0, Long.MAX_VALUE).getMessageList().size() == 1);
        same("m3", text(admin.queryMessage("DefaultCluster", topic, sent.getMsgId())), "by unique id");
        MessageExt message = admin.viewMessage(topic, sent.getOffsetMsgId());
        same("m3", text(message), "by offset id");
        List<MessageTrack> tracks = admin.messageTrackDetail(message);
        same(List.of(TrackType.CONSUMED), tracks.stream().filter(track -> track.getConsumerGroup().equals(group))
            .map(MessageTrack::getTrackType).collect(Collectors.toList()), "who has consumed the message");
        same(CMResult.CR_SUCCESS, admin.consumeMessageDirectly(group, client, topic, sent.getOffsetMsgId()).getConsumeResult(), "once more");
        // The collector of the charts.
        traffic.oneMore();
        eventually(80, "chart of the topic", () -> {
            BrokerStatsItem minute = minute(admin, broker, "TOPIC_PUT_NUMS", topic);
            return minute != null && minute.getSum() > 0;
        });
    }

    private static void dashboardChanges() throws Exception {
        DefaultMQAdminExt admin = admin(true);
        String topic = name("Desk");
        TopicConfig config = new TopicConfig(topic, 3, 4, 6);
        config.setAttributes(Map.of("+message.type", "FIFO"));
        admin.createAndUpdateTopicConfig(broker, config);
        TopicConfig made = admin.examineTopicConfig(broker, topic);
        same(List.of(3, 4, 6), List.of(made.getReadQueueNums(), made.getWriteQueueNums(), made.getPerm()), "the topic");
        same(Map.of("message.type", "FIFO"), made.getAttributes(), "its attributes");
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName(name("DeskGroup"));
        group.setConsumeMessageOrderly(true);
        group.setRetryMaxTimes(5);
        admin.createAndUpdateSubscriptionGroupConfig(broker, group);
        same(true, admin.examineSubscriptionGroupConfig(broker, group.getGroupName()).isConsumeMessageOrderly(), "the group is ordered");
        eventually(80, "route", () -> admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getReadQueueNums() == 3);
        // A reset of a group that nobody is in.
        for (int i = 0; i < 5; i++) {
            producer().send(new Message(topic, bytes("x")), new MessageQueue(topic, "broker-a", 1));
        }
        read(new MessageQueue(topic, "broker-a", 1), "*", 5);
        Map<MessageQueue, Long> moved = admin.resetOffsetByTimestamp(topic, group.getGroupName(), -1, true);
        same(5L, moved.get(new MessageQueue(topic, "broker-a", 1)), "moved to the end");
        eventually(80, "what is left", () -> admin.examineConsumeStats(broker, group.getGroupName(), topic, 3000).computeTotalDiff() == 0);
        same(5L, admin.resetOffsetByTimestamp(topic, group.getGroupName(), System.currentTimeMillis() + 60_000, true)
            .get(new MessageQueue(topic, "broker-a", 1)), "moved to a time to come");
        same(0L, admin.resetOffsetByTimestamp(topic, group.getGroupName(), 0, true)
            .get(new MessageQueue(topic, "broker-a", 1)), "moved to the beginning");
        admin.deleteSubscriptionGroup(broker, group.getGroupName(), true);
        check(!admin.getAllSubscriptionGroup(broker, 30_000).getSubscriptionGroupTable().containsKey(group.getGroupName()), "the group is gone");
        admin.deleteTopicInBroker(Set.of(broker), topic);
        admin.deleteTopicInNameServer(new HashSet<>(admin.getNameServerAddressList()), topic);
        eventually(80, "the topic is gone", () -> !admin.fetchAllTopicList().getTopicList().contains(topic));
        admin.createAndUpdateKvConfig("DESK", topic, "v");
        same("v", admin.getKVListByNamespace("DESK").getTable().get(topic), "key-value setting");
        admin.deleteKvConfig("DESK", topic);
    }

    // ---- what operators order now and then

    private static void operators() throws Exception {
        DefaultMQAdminExt admin = admin(false);
        Traffic traffic = new Traffic();
        String topic = traffic.topic;
        String group = traffic.group;
        // Queues, inspected.
        MessageQueue queue = traffic.sent.get(0).getMessageQueue();
        long count = traffic.sent.stream().filter(sent -> sent.getMessageQueue().equals(queue)).count();
        QueryConsumeQueueResponseBody entries = admin.queryConsumeQueue(broker, topic, queue.getQueueId(), 0, 100, group);
        same(List.of(count, 0L, (int) count), List.of(entries.getMaxQueueIndex(), entries.getMinQueueIndex(), entries.getQueueData().size()), "entries");
        same("*", entries.getSubscriptionData().getSubString(), "what the group wants");
        same((long) "tag".hashCode(), entries.getQueueData().get(0).getTagsCode(), "hash of the tag");
        check(entries.getQueueData().get(0).getPhysicSize() > 0, "size");
        eventually(80, "all committed", () -> {
            ConsumeStatsList all = admin.fetchConsumeStatsInBroker(broker, false, 50_000);
            return all.getConsumeStatsList().stream().filter(groups -> groups.containsKey(group)).flatMap(groups -> groups.get(group).stream())
                .mapToLong(ConsumeStats::computeTotalDiff).sum() == 0;
        });
        // Ways to read, rights to read.
        admin.setMessageRequestMode(broker, topic, group, MessageRequestMode.PULL, 0, 5000);
        same(true, admin.updateAndGetGroupReadForbidden(broker, group, topic, null).getReadable(), "may be read");
        same(false, admin.updateAndGetGroupReadForbidden(broker, group, topic, false).getReadable(), "may not be read");
        same(true, admin.updateAndGetGroupReadForbidden(broker, group, topic, true).getReadable(), "may be read again");
        String copy = group();
        admin.cloneGroupOffset(group, copy, topic, false);
        same(0L, admin.examineConsumeStats(broker, copy, topic, 3000).computeTotalDiff(), "copied offsets");
        // Replication that there is none of.
        check(admin.getBrokerHAStatus(broker).isMaster() && admin.getBrokerHAStatus(broker).getHaConnectionInfo().isEmpty(), "master without slaves");
        check(admin.getBrokerHAStatus(broker).getMasterCommitLogMaxOffset() > 0, "end of the log");
        refused(1, () -> admin.getBrokerEpochCache(broker));
        // Order of queues.
        admin.createOrUpdateOrderConf(topic, "broker-a:2", true);
        same("broker-a:2", admin.getKVConfig("ORDER_TOPIC_CONFIG", topic), "order of queues");
        // Limits for old messages.
        Properties limits = new Properties();
        limits.setProperty(group, "123456");
        admin.updateColdDataFlowCtrGroupConfig(broker, limits);
        check(admin.getColdDataFlowCtrInfo(broker).contains("123456"), "limit of the group");
        admin.removeColdDataFlowCtrGroupConfig(broker, group);
        check(!admin.getColdDataFlowCtrInfo(broker).contains("123456"), "no limit of the group");
        for (String mode : List.of("1", "0")) {
            same("set commitlog readahead mode success, mode: " + mode, admin.setCommitLogReadAheadMode(broker, mode), "reading ahead");
        }
        // Work at once.
        check(admin.cleanExpiredConsumerQueueByAddr(broker), "expired queues");
        check(admin.cleanUnusedTopicByAddr(broker), "unused topics");
        check(admin.deleteExpiredCommitLogByAddr(broker), "expired files");
        // Settings of both servers.
        Properties settings = new Properties();
        settings.setProperty("transactionCheckMax", "16");
        admin.updateBrokerConfig(broker, settings);
        same("16", admin.getBrokerConfig(broker).getProperty("transactionCheckMax"), "setting of the broker");
        settings.setProperty("transactionCheckMax", "15");
        admin.updateBrokerConfig(broker, settings);
        Properties barred = new Properties();
        barred.setProperty("brokerConfigPath", "/tmp/elsewhere");
        refused(16, () -> admin.updateBrokerConfig(broker, barred));
        List<String> servers = admin.getNameServerAddressList();
        Properties live = new Properties();
        live.setProperty("deleteTopicWithBrokerRegistration", "false");
        admin.updateNameServerConfig(live, servers);
        for (Properties server : admin.getNameServerConfig(servers).values()) {
            same("false", server.getProperty("deleteTopicWithBrokerRegistration"), "setting of a name server");
        }
        Properties path = new Properties();
        path.setProperty("configStorePath", "/tmp/elsewhere");
        refused(16, () -> admin.updateNameServerConfig(path, servers));
        // The messages are still there.
        check(traffic.received.size() >= SENT, "messages");
    }

    private interface Order {
        void carryOut() throws Exception;
    }

    private static void refused(int code, Order order) throws Exception {
        try {
            order.carryOut();
        } catch (MQBrokerException refusal) {
            same(code, refusal.getResponseCode(), "code");
            return;
        } catch (MQClientException refusal) {
            same(code, refusal.getResponseCode(), "code");
            return;
        }
        throw new AssertionError("not refused");
    }
}
