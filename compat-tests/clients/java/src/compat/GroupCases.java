package compat;

import static compat.Env.*;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.AllocateMessageQueueStrategy;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragelyByCircle;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByMachineRoom;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueConsistentHash;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Members of groups, who gets which queues, offsets, broadcasting. */
final class GroupCases {
    private GroupCases() { }

    static void register(Suite suite) {
        suite.add("M01", GroupCases::secondMemberJoins);
        suite.add("M02", GroupCases::memberVanishes);
        suite.add("M03", EnumSet.of(Suite.Mark.RAW, Suite.Mark.SLOW), GroupCases::silentMemberExpires);
        suite.raw("M04", GroupCases::heartbeatWithoutSubscriptions);
        suite.raw("M05", GroupCases::offsetNeverCommitted);
        suite.add("M06", GroupCases::whereToStart);
        suite.raw("M07", GroupCases::commitsMayGoBack);
        suite.raw("M08", GroupCases::badCommits);
        suite.raw("M11", GroupCases::runningInfoOfNobody);
        suite.raw("M12", GroupCases::listOfAnEmptyGroup);
        suite.add("M13", GroupCases::strategiesCover);
        suite.add("M13R", EnumSet.of(Suite.Mark.OWN), GroupCases::roomsCover);
        suite.raw("M14", GroupCases::lastSubscriptionWins);
        suite.add("M15", GroupCases::moreMembersThanQueues);
        suite.raw("M16", GroupCases::queuesByTheBroker);
        suite.raw("M18", GroupCases::retryTopicsAreNeverPopped);
        suite.raw("M20", GroupCases::membersAreNotified);
        suite.add("M21", GroupCases::progressSurvivesTheConsumer);
        suite.add("A18", GroupCases::broadcastReachesAll);
    }

    private static void secondMemberJoins() throws Exception {
        String topic = topic(4);
        String group = group();
        DefaultMQPushConsumer first = pushConsumer(group);
        consume(first, topic, "*");
        eventually(80, "the first member holds all", () -> held(first, topic).size() == 4);
        DefaultMQPushConsumer second = pushConsumer(group);
        consume(second, topic, "*");
        // Before its own look after 20 s, because the broker tells it.
        soon(15, "two queues each", () -> held(first, topic).size() == 2 && held(second, topic).size() == 2);
        Set<MessageQueue> all = new HashSet<>(held(first, topic));
        all.addAll(held(second, topic));
        same(4, all.size(), "queues held");
        same(2, members(raw(), group).size(), "members in the list");
    }

    private static void memberVanishes() throws Exception {
        String topic = topic(4);
        String group = group();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        consume(consumer, topic, "*");
        eventually(80, "the member holds all", () -> held(consumer, topic).size() == 4);
        Raw other = raw();
        code(0, other.call(Codes.HEART_BEAT, Map.of(), heartbeat("0.0.0.0@other", group, "CLUSTERING", 1, topic)), "heartbeat");
        eventually(80, "half left", () -> held(consumer, topic).size() == 2);
        other.close();
        Raw raw = raw();
        eventually(80, "the list shrinks", () -> members(raw, group).size() == 1);
        eventually(80, "all taken back", () -> held(consumer, topic).size() == 4);
    }

    private static void silentMemberExpires() throws Exception {
        String topic = topic(1);
        String group = group();
        Raw silent = raw();
        code(0, silent.call(Codes.HEART_BEAT, Map.of(), heartbeat("silent", group, "CLUSTERING", 1, topic)), "heartbeat");
        long start = System.nanoTime();
        Raw raw = raw();
        eventually(180, "removed", () -> {
            // Keeps the channel itself from counting as idle.
            silent.call(Codes.GET_MAX_OFFSET, fields("topic", topic, "queueId", 0));
            Thread.sleep(500);
            return members(raw, group).isEmpty();
        });
        between(115, 200, (System.nanoTime() - start) / 1e9, "seconds without a heartbeat");
    }

    private static byte[] heartbeatV2(String group, int fingerprint, boolean withoutSubscriptions, String... topics) {
        String body = new String(heartbeat("v2", group, "CLUSTERING", 5, topics), java.nio.charset.StandardCharsets.UTF_8);
        return bytes(body.replace("\"heartbeatFingerprint\":0", "\"heartbeatFingerprint\":" + fingerprint)
            .replace("\"withoutSub\":false", "\"withoutSub\":" + withoutSubscriptions));
    }

    private static void heartbeatWithoutSubscriptions() throws Exception {
        String topic = topic(1);
        String group = group();
        Raw raw = raw();
        Raw.Frame full = code(0, raw.call(Codes.HEART_BEAT, Map.of(), heartbeatV2(group, 77, false, topic)), "full heartbeat");
        same("true", full.ext().get("IS_SUPPORT_HEART_BEAT_V2"), "support");
        Raw.Frame brief = code(0, raw.call(Codes.HEART_BEAT, Map.of(), heartbeatV2(group, 77, true)), "brief heartbeat");
        same("false", brief.ext().get("IS_SUB_CHANGE"), "change with the same fingerprint");
        Map<String, Object> pull = with(pullFields(group, topic, 0, 0), "sysFlag", 0, "subscription", null, "subVersion", 5);
        code(19, raw.call(Codes.PULL_MESSAGE, pull), "the subscription is kept");
        Raw.Frame changed = code(0, raw.call(Codes.HEART_BEAT, Map.of(), heartbeatV2(group, 78, true)), "other fingerprint");
        same("true", changed.ext().get("IS_SUB_CHANGE"), "change with another fingerprint");
    }

    private static void offsetNeverCommitted() throws Exception {
        String topic = topic(1);
        producer().send(new Message(topic, bytes("x")));
        eventually(80, "readable", () -> read(topic).size() == 1);
        Map<String, Object> query = fields("consumerGroup", group(), "topic", topic, "queueId", 0);
        Raw raw = raw();
        same(0L, code(0, raw.call(Codes.QUERY_CONSUMER_OFFSET, query), "young queue").number("offset"), "offset");
        code(22, raw.call(Codes.QUERY_CONSUMER_OFFSET, with(query, "setZeroIfNotFound", false)), "zero not wanted");
    }

    private static void whereToStart() throws Exception {
        String topic = topic(1);
        for (int i = 0; i < 5; i++) {
            producer().send(new Message(topic, bytes("old" + i)));
        }
        DefaultMQPushConsumer first = pushConsumer(group());
        List<MessageExt> all = consume(first, topic, "*");
        eventually(80, "from the first", () -> all.size() == 5);
        // A young queue answers 0 to whoever has no offset, whatever that one asked for.
        DefaultMQPushConsumer last = pushConsumer(group());
        last.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        List<MessageExt> young = consume(last, topic, "*");
        DefaultMQPushConsumer timed = pushConsumer(group());
        timed.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP);
        timed.setConsumeTimestamp(UtilAll.timeMillisToHumanString3(System.currentTimeMillis() - 3_600_000));
        List<MessageExt> hour = consume(timed, topic, "*");
        eventually(80, "both from the start", () -> young.size() == 5 && hour.size() == 5);
    }

    private static Map<String, Object> commit(String group, String topic, Object offset) {
        return fields("consumerGroup", group, "topic", topic, "queueId", 0, "commitOffset", offset);
    }

    private static void commitsMayGoBack() throws Exception {
        String topic = topic(1);
        String group = group();
        Raw raw = raw();
        for (long offset : new long[] {9, 4}) {
            code(0, raw.call(Codes.UPDATE_CONSUMER_OFFSET, commit(group, topic, offset)), "commit " + offset);
            Raw.Frame stored = raw.call(Codes.QUERY_CONSUMER_OFFSET, fields("consumerGroup", group, "topic", topic, "queueId", 0));
            same(offset, code(0, stored, "query").number("offset"), "stored offset");
        }
    }

    private static void badCommits() throws Exception {
        String topic = topic(1);
        Raw raw = raw();
        code(29, raw.call(Codes.UPDATE_CONSUMER_OFFSET, commit(group(), topic, null)), "no offset");
        code(26, raw.call(Codes.UPDATE_CONSUMER_OFFSET, commit(name("missing"), topic, 1)), "no such group");
        code(17, raw.call(Codes.UPDATE_CONSUMER_OFFSET, commit(group(), name("missing"), 1)), "no such topic");
    }

    private static void runningInfoOfNobody() throws Exception {
        Map<String, Object> nobody = fields("consumerGroup", group(), "clientId", "nobody", "jstackEnable", false);
        Raw.Frame answer = code(1, raw().call(Codes.GET_CONSUMER_RUNNING_INFO, nobody), "offline");
        check(answer.remark().contains("not online"), answer.remark());
    }

    private static void listOfAnEmptyGroup() throws Exception {
        code(1, raw().call(Codes.GET_CONSUMER_LIST_BY_GROUP, fields("consumerGroup", group())), "no member");
        code(1, raw().call(Codes.GET_CONSUMER_LIST_BY_GROUP, fields("consumerGroup", name("missing"))), "no such group");
    }

    private static void strategiesCover() throws Exception {
        for (AllocateMessageQueueStrategy strategy : List.of(new AllocateMessageQueueAveragelyByCircle(), new AllocateMessageQueueConsistentHash())) {
            membersShare(topic(8), strategy);
        }
    }

    /** Members that consume the room of a broker named by rooms share its queues. */
    private static void roomsCover() throws Exception {
        String topic = topic(8);
        same("room1@broker-a", queues(topic).get(0).getBrokerName(), "the broker's room");
        AllocateMessageQueueByMachineRoom strategy = new AllocateMessageQueueByMachineRoom();
        strategy.setConsumeridcs(Set.of("room1"));
        membersShare(topic, strategy);
    }

    /** Three members hold all eight queues between them, none of them twice. */
    private static void membersShare(String topic, AllocateMessageQueueStrategy strategy) throws Exception {
        String group = group();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DefaultMQPushConsumer consumer = pushConsumer(group);
            consumer.setAllocateMessageQueueStrategy(strategy);
            consume(consumer, topic, "*");
            consumers.add(consumer);
        }
        eventually(80, "disjoint and complete with " + strategy.getName(), () -> {
            List<MessageQueue> all = new ArrayList<>();
            consumers.forEach(consumer -> all.addAll(held(consumer, topic)));
            return all.size() == 8 && new HashSet<>(all).size() == 8;
        });
    }

    private static void lastSubscriptionWins() throws Exception {
        String left = topic(1);
        String right = topic(1);
        String group = group();
        Raw a = raw();
        Raw b = raw();
        Map<String, Object> pull = with(pullFields(group, left, 0, 0), "sysFlag", 0, "subscription", null, "subVersion", 1);
        code(0, a.call(Codes.HEART_BEAT, Map.of(), heartbeat("a", group, "CLUSTERING", 1, left)), "heartbeat of a");
        code(19, a.call(Codes.PULL_MESSAGE, pull), "a pulls its topic");
        code(0, b.call(Codes.HEART_BEAT, Map.of(), heartbeat("b", group, "CLUSTERING", 2, right)), "heartbeat of b");
        code(24, a.call(Codes.PULL_MESSAGE, pull), "a lost its topic");
        code(0, a.call(Codes.HEART_BEAT, Map.of(), heartbeat("a", group, "CLUSTERING", 3, left)), "heartbeat of a");
        code(19, a.call(Codes.PULL_MESSAGE, pull), "a has it back");
    }

    private static void moreMembersThanQueues() throws Exception {
        String topic = topic(2);
        String group = group();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            DefaultMQPushConsumer consumer = pushConsumer(group);
            consume(consumer, topic, "*");
            consumers.add(consumer);
        }
        eventually(80, "one queue, one queue, none", () ->
            consumers.stream().map(consumer -> held(consumer, topic).size()).sorted().collect(Collectors.toList())
                .equals(List.of(0, 1, 1)));
    }

    @SuppressWarnings("unchecked")
    private static void queuesByTheBroker() throws Exception {
        String topic = topic(5);
        String group = group();
        Raw a = raw();
        Raw b = raw();
        code(0, a.call(Codes.HEART_BEAT, Map.of(), heartbeat("a", group, "CLUSTERING", 1, topic)), "heartbeat of a");
        code(0, b.call(Codes.HEART_BEAT, Map.of(), heartbeat("b", group, "CLUSTERING", 1, topic)), "heartbeat of b");
        for (Map.Entry<String, List<Long>> share : Map.of("AVG a", List.of(0L, 1L, 2L), "AVG b", List.of(3L, 4L),
            "AVG_BY_CIRCLE a", List.of(0L, 2L, 4L), "AVG_BY_CIRCLE b", List.of(1L, 3L)).entrySet()) {
            String[] words = share.getKey().split(" ");
            List<Long> given = new ArrayList<>();
            for (Map<String, Object> one : assignments(topic, group, words[0], words[1])) {
                same("PULL", one.get("mode"), "mode");
                given.add((Long) ((Map<String, Object>) one.get("messageQueue")).get("queueId"));
            }
            given.sort(null);
            same(share.getValue(), given, share.getKey());
        }
        same(null, assignments(topic, group, "SOMEHOW", "a"), "an unknown strategy");
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> assignments(String topic, String group, String strategy, String client) throws Exception {
        Map<String, Object> asked = fields("topic", topic, "consumerGroup", group, "clientId", client, "strategyName", strategy,
            "messageModel", "CLUSTERING");
        Raw.Frame answer = code(0, raw().call(Codes.QUERY_ASSIGNMENT, Map.of(), bytes(Json.write(asked))), strategy);
        return (List<Map<String, Object>>) Json.object(answer.body()).get("messageQueueAssignments");
    }

    private static void retryTopicsAreNeverPopped() throws Exception {
        String group = group();
        Map<String, Object> mode = fields("topic", "%RETRY%" + group, "consumerGroup", group, "mode", "POP", "popShareQueueNum", 0);
        code(16, raw().call(Codes.SET_MESSAGE_REQUEST_MODE, Map.of(), bytes(Json.write(mode))), "a retry topic");
    }

    private static void membersAreNotified() throws Exception {
        String topic = topic(1);
        String group = group();
        Raw first = raw();
        code(0, first.call(Codes.HEART_BEAT, Map.of(), heartbeat("first", group, "CLUSTERING", 1, topic)), "heartbeat");
        check(first.requests.poll(Env.PATIENCE_MS, TimeUnit.MILLISECONDS) != null, "not told of its own coming");
        while (first.requests.poll(500, TimeUnit.MILLISECONDS) != null) {
            // Told twice.
        }
        code(0, first.call(Codes.HEART_BEAT, Map.of(), heartbeat("first", group, "CLUSTERING", 1, topic)), "same again");
        check(first.requests.poll(700, TimeUnit.MILLISECONDS) == null, "a plain heartbeat notified");
        Raw second = raw();
        code(0, second.call(Codes.HEART_BEAT, Map.of(), heartbeat("second", group, "CLUSTERING", 1, topic)), "heartbeat");
        Raw.Frame joined = first.requests.poll(Env.PATIENCE_MS, TimeUnit.MILLISECONDS);
        check(joined != null && joined.code() == Codes.NOTIFY_CONSUMER_IDS_CHANGED, "on join: " + joined);
        same(group, joined.ext().get("consumerGroup"), "group");
        same(2, joined.flag() & 2, "one-way flag");
        same(new TreeSet<>(Set.of("first", "second")), new TreeSet<>(members(first, group)), "members");
        code(0, second.call(Codes.UNREGISTER_CLIENT, fields("clientID", "second", "consumerGroup", group)), "unregister");
        Raw.Frame left = first.requests.poll(Env.PATIENCE_MS, TimeUnit.MILLISECONDS);
        check(left != null && left.code() == Codes.NOTIFY_CONSUMER_IDS_CHANGED, "on leave: " + left);
        same(List.of("first"), members(first, group), "members");
    }

    private static void progressSurvivesTheConsumer() throws Exception {
        String topic = topic(2);
        String group = group();
        DefaultMQPushConsumer first = pushConsumer(group);
        List<MessageExt> before = consume(first, topic, "*");
        for (int i = 0; i < 10; i++) {
            producer().send(new Message(topic, bytes("before" + i)));
        }
        eventually(80, "ten", () -> before.size() == 10);
        first.shutdown();
        awaitCommitted(group, topic, 10);
        for (int i = 0; i < 6; i++) {
            producer().send(new Message(topic, bytes("after" + i)));
        }
        List<MessageExt> after = consume(pushConsumer(group), topic, "*");
        eventually(80, "six", () -> after.size() >= 6);
        Thread.sleep(500);
        same(6, after.size(), "messages after the restart: " + after.stream().map(Env::text).collect(Collectors.toList()));
    }

    private static void broadcastReachesAll() throws Exception {
        String topic = topic(2);
        String group = group();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        List<List<MessageExt>> received = new ArrayList<>();
        String named = name("member");
        for (int i = 0; i < 3; i++) {
            DefaultMQPushConsumer consumer = pushConsumer(group);
            broadcast(consumer);
            consumer.setInstanceName(named + i);
            consumers.add(consumer);
            received.add(consume(consumer, topic, "*"));
        }
        for (int i = 0; i < 5; i++) {
            producer().send(new Message(topic, bytes("m" + i)));
        }
        eventually(80, "five each", () -> received.stream().allMatch(list -> list.size() == 5));
        // Its offsets lie in a file of the client; the same name finds them again.
        consumers.get(0).shutdown();
        producer().send(new Message(topic, bytes("while away")));
        DefaultMQPushConsumer again = pushConsumer(group);
        broadcast(again);
        again.setInstanceName(named + 0);
        List<MessageExt> missed = consume(again, topic, "*");
        eventually(80, "the one it missed", () -> missed.size() == 1 && received.get(1).size() == 6);
        Thread.sleep(500);
        same(List.of("while away"), missed.stream().map(Env::text).collect(Collectors.toList()), "after the restart");
    }
}
