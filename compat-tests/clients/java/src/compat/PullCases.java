package compat;

import static compat.Env.*;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Pulling, long polling, filters. */
final class PullCases {
    private static final int SUSPEND = 2;
    private static final int SUBSCRIPTION = 4;
    private static final String GROUP = "TOOLS_CONSUMER";

    private PullCases() { }

    static void register(Suite suite) {
        suite.raw("P01", PullCases::holdEndsEmpty);
        suite.raw("P02", PullCases::arrivalEndsHold);
        suite.raw("P03", PullCases::otherTagDoesNotEndHold);
        suite.raw("P04", PullCases::offsetBeyondMax);
        suite.raw("P05", PullCases::offsetAtMax);
        suite.raw("P06", PullCases::queueNeverWritten);
        suite.raw("P07", PullCases::replyLimits);
        suite.raw("P08", PullCases::selectiveFilterMovesOn);
        suite.raw("P09", PullCases::subscriptionVersion);
        suite.raw("P10", PullCases::queueIdBounds);
        suite.raw("P12", PullCases::consumptionSwitchedOff);
        suite.raw("P13", PullCases::writeOnlyTopic);
        suite.raw("P14", PullCases::commitRidesOnPull);
        suite.raw("P16", PullCases::broadcastForbidden);
        suite.add("P17", PullCases::litePull);
        suite.add("P18", PullCases::twoGroups);
        suite.raw("P21", PullCases::holdOfClosedConnection);
        suite.raw("P22", PullCases::malformedSubscription);
        suite.raw("P23", PullCases::offsetQueries);
        suite.add("F01", PullCases::twoTags);
        suite.add("F02", PullCases::equalTagHashes);
        suite.add("F07", PullCases::subscriptionChanges);
        suite.add("F08", PullCases::sqlBesideTags);
    }

    private static Map<String, Object> held(String topic, long offset, long millis) {
        return with(pullFields(GROUP, topic, 0, offset), "sysFlag", SUSPEND | SUBSCRIPTION, "suspendTimeoutMillis", millis);
    }

    private static void send(String topic, String tag, byte[] body) throws Exception {
        code(0, raw().call(Codes.SEND_MESSAGE_V2, with(sendFields(topic, 0), "i", tag == null ? "" : "TAGS\u0001" + tag + "\u0002"), body), "send");
    }

    private static void holdEndsEmpty() throws Exception {
        String topic = topic(1);
        long start = System.nanoTime();
        Raw.Frame answer = raw().send(Codes.PULL_MESSAGE, held(topic, 0, 15_000), null).get(80, TimeUnit.SECONDS);
        code(19, answer, "held pull");
        between(14.9, 60, (answer.nanos() - start) / 1e9, "seconds held");
        same(0L, answer.number("nextBeginOffset"), "next offset");
    }

    private static void arrivalEndsHold() throws Exception {
        String topic = topic(1);
        send(topic, null, bytes("there"));
        SendCases.pullFound(topic, 0, 0);
        Raw raw = raw();
        check(!Raw.answered(raw.send(Codes.PULL_MESSAGE, held(topic, 1, 15_000), null), 500), "answered before anything arrived");
        // A sweep comes by every five seconds: it does not answer five in a row at once. A machine that stands still spoils one round.
        int inARow = 0;
        for (long offset = 1; inARow < 5; offset++) {
            check(offset < 40, "arrivals do not end holds at once");
            CompletableFuture<Raw.Frame> hold = raw.send(Codes.PULL_MESSAGE, held(topic, offset, 15_000), null);
            check(!Raw.answered(hold, 20), "answered before anything arrived");
            long sent = System.nanoTime();
            send(topic, null, bytes("new" + offset));
            Raw.Frame answer = code(0, hold.get(Env.PATIENCE_MS, TimeUnit.MILLISECONDS), "held pull");
            inARow = answer.nanos() - sent < 1_000_000_000L ? inARow + 1 : 0;
            same("new" + offset, text(records(answer).get(0)), "body");
            same(offset + 1, answer.number("nextBeginOffset"), "next offset");
        }
    }

    private static void otherTagDoesNotEndHold() throws Exception {
        String topic = topic(1);
        CompletableFuture<Raw.Frame> hold = raw().send(Codes.PULL_MESSAGE, with(held(topic, 0, 15_000), "subscription", "A"), null);
        send(topic, "B", bytes("b"));
        // The sweep every five seconds may send the client on, past the message that does not match.
        if (Raw.answered(hold, 2000)) {
            same(1L, code(20, hold.get(), "sent on").number("nextBeginOffset"), "next offset");
            hold = raw().send(Codes.PULL_MESSAGE, with(held(topic, 1, 15_000), "subscription", "A"), null);
        }
        send(topic, "A", bytes("a"));
        Raw.Frame answer = hold.get(Env.PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (answer.code() == 20) {
            // Sent on just now.
            same(1L, answer.number("nextBeginOffset"), "next offset");
            Raw.Frame[] next = new Raw.Frame[1];
            eventually(80, "the message that matches", () -> {
                next[0] = raw().call(Codes.PULL_MESSAGE, with(held(topic, 1, 15_000), "subscription", "A"));
                return next[0].code() == 0;
            });
            answer = next[0];
        }
        code(0, answer, "held pull");
        same(List.of("a"), records(answer).stream().map(Env::text).collect(Collectors.toList()), "bodies");
        same(2L, answer.number("nextBeginOffset"), "next offset");
    }

    private static void offsetBeyondMax() throws Exception {
        String topic = topic(1);
        send(topic, null, bytes("x"));
        SendCases.pullFound(topic, 0, 0);
        Raw.Frame answer = code(21, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, 0, 2)), "offset 2 of 1");
        same(1L, answer.number("nextBeginOffset"), "next offset");
        same(0L, answer.number("minOffset"), "min offset");
        same(1L, answer.number("maxOffset"), "max offset");
        same(0L, answer.number("suggestWhichBrokerId"), "suggested broker");
    }

    private static void offsetAtMax() throws Exception {
        String topic = topic(1);
        send(topic, null, bytes("x"));
        SendCases.pullFound(topic, 0, 0);
        Raw.Frame answer = code(19, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, 0, 1)), "offset at max");
        same(1L, answer.number("nextBeginOffset"), "next offset");
    }

    private static void queueNeverWritten() throws Exception {
        String topic = topic(1);
        Raw.Frame first = code(19, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, 0, 0)), "offset 0");
        same(0L, first.number("nextBeginOffset"), "next offset");
        Raw.Frame fifth = code(21, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, 0, 5)), "offset 5");
        same(0L, fifth.number("nextBeginOffset"), "next offset");
    }

    private static void replyLimits() throws Exception {
        String topic = topic(1);
        send(topic, null, new byte[300 * 1024]);
        for (int i = 0; i < 63; i++) {
            send(topic, null, new byte[1024]);
        }
        eventually(80, "64 indexed", () -> raw().call(Codes.GET_MAX_OFFSET, fields("topic", topic, "queueId", 0)).number("offset") == 64);
        Raw.Frame first = code(0, raw().call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 0), "maxMsgNums", 64)), "pull");
        same(1, records(first).size(), "a message of 300 KiB comes alone");
        Raw.Frame rest = code(0, raw().call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 1), "maxMsgNums", 64)), "pull");
        same(32, records(rest).size(), "messages in memory");
        same(33L, rest.number("nextBeginOffset"), "next offset");
        same(7, records(code(0, raw().call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 1), "maxMsgNums", 7)), "pull")).size(), "as asked");
    }

    private static void selectiveFilterMovesOn() throws Exception {
        String topic = topic(1);
        MessageQueue queue = queues(topic).get(0);
        for (int i = 0; i < 20; i++) {
            List<Message> batch = new ArrayList<>();
            for (int j = 0; j < 100; j++) {
                batch.add(new Message(topic, "dull", bytes("d")));
            }
            producer().send(batch, queue);
        }
        producer().send(new Message(topic, "rare", bytes("found")), queue);
        eventually(80, "indexed", () -> raw().call(Codes.GET_MAX_OFFSET, fields("topic", topic, "queueId", 0)).number("offset") == 2001);
        long offset = 0;
        int empty = 0;
        while (true) {
            Raw.Frame answer = raw().call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, offset), "subscription", "rare"));
            long next = answer.number("nextBeginOffset");
            if (answer.code() == 0) {
                same(List.of("found"), records(answer).stream().map(Env::text).collect(Collectors.toList()), "bodies");
                same(2001L, next, "next offset");
                break;
            }
            code(20, answer, "nothing in this stretch");
            check(next > offset, "stands still at " + offset);
            offset = next;
            empty++;
        }
        between(1, 20, empty, "stretches without a match");
    }

    private static void subscriptionVersion() throws Exception {
        String topic = topic(1);
        String group = group();
        Map<String, Object> pull = with(pullFields(group, topic, 0, 0), "sysFlag", 0, "subscription", null, "subVersion", 100);
        Raw raw = raw();
        code(24, raw.call(Codes.PULL_MESSAGE, pull), "absent group");
        code(0, raw.call(Codes.HEART_BEAT, Map.of(), heartbeat("p09", group, "CLUSTERING", 100, topic)), "heartbeat");
        code(19, raw.call(Codes.PULL_MESSAGE, pull), "same version");
        code(25, raw.call(Codes.PULL_MESSAGE, with(pull, "subVersion", 101)), "newer version");
        code(24, raw.call(Codes.PULL_MESSAGE, with(pull, "topic", topic(1), "subVersion", 100)), "topic not subscribed");
    }

    private static void queueIdBounds() throws Exception {
        String topic = topic(2);
        for (int queue : new int[] {-1, 2, 1000}) {
            code(29, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, queue, 0)), "queue " + queue);
        }
        code(17, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, name("Missing"), 0, 0)), "unknown topic");
    }

    private static void consumptionSwitchedOff() throws Exception {
        String topic = topic(1);
        String group = group("consumeEnable", false);
        Raw.Frame refused = code(16, raw().call(Codes.PULL_MESSAGE, pullFields(group, topic, 0, 0)), "switched off");
        same("2", refused.ext().get("forbiddenType"), "who forbids");
        updateGroup(group);
        code(19, raw().call(Codes.PULL_MESSAGE, pullFields(group, topic, 0, 0)), "switched on");
    }

    private static void writeOnlyTopic() throws Exception {
        String topic = name("WriteOnly");
        createTopic(topic, 1, 2);
        Raw.Frame refused = code(16, raw().call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, 0, 0)), "write-only topic");
        same("3", refused.ext().get("forbiddenType"), "who forbids");
    }

    private static void commitRidesOnPull() throws Exception {
        String topic = topic(1);
        String group = group();
        Map<String, Object> pull = with(pullFields(group, topic, 0, 0), "sysFlag", SUBSCRIPTION | 1, "commitOffset", 7);
        code(19, raw().call(Codes.PULL_MESSAGE, pull), "pull");
        Raw.Frame stored = raw().call(Codes.QUERY_CONSUMER_OFFSET, fields("consumerGroup", group, "topic", topic, "queueId", 0));
        same(7L, code(0, stored, "query").number("offset"), "stored offset");
    }

    private static void broadcastForbidden() throws Exception {
        String topic = topic(1);
        String group = group("consumeBroadcastEnable", false);
        Raw raw = raw();
        code(0, raw.call(Codes.HEART_BEAT, Map.of(), heartbeat("p16", group, "BROADCASTING", 1, topic)), "heartbeat");
        Raw.Frame refused = raw.call(Codes.PULL_MESSAGE, with(pullFields(group, topic, 0, 0), "sysFlag", 0, "subVersion", 1));
        same("4", code(16, refused, "broadcast").ext().get("forbiddenType"), "who forbids");
    }

    private static void litePull() throws Exception {
        String topic = topic(1);
        MessageQueue queue = queues(topic).get(0);
        long[] stored = new long[10];
        for (int i = 0; i < 10; i++) {
            producer().send(new Message(topic, bytes("m" + i)), queue);
            stored[i] = System.currentTimeMillis();
            Thread.sleep(15);
        }
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group());
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(name("lite"));
        consumer.setMqClientApiTimeout(PATIENCE_MS);
        consumer.setAutoCommit(false);
        own(consumer::shutdown);
        consumer.start();
        consumer.assign(List.of(queue));
        pollAfter(consumer, "m6", () -> consumer.seek(queue, 6));
        pollAfter(consumer, "m0", () -> consumer.seekToBegin(queue));
        long offset = consumer.offsetForTimestamp(queue, stored[3] + 5);
        between(3, 5, offset, "offset for the time of message 4");
        pollAfter(consumer, "m" + offset, () -> consumer.seek(queue, offset));
        int[] sent = new int[1];
        eventually(80, "what comes after the end", () -> {
            consumer.seekToEnd(queue);
            String body = "last" + sent[0]++;
            producer().send(new Message(topic, bytes(body)), queue);
            return polls(consumer, body);
        });
        consumer.commitSync();
        eventually(80, "commit reaches the broker", () -> {
            Map<String, Object> query = fields("consumerGroup", consumer.getConsumerGroup(), "topic", topic, "queueId", 0);
            return raw().call(Codes.QUERY_CONSUMER_OFFSET, query).number("offset") == 10 + sent[0];
        });
    }

    /** Seeks and polls until a batch starts with this message. A pull that is under way may undo the client's first seek. */
    private static void pollAfter(DefaultLitePullConsumer consumer, String body, Suite.Body seek) throws Exception {
        eventually(80, "a batch that starts with " + body, () -> {
            seek.run();
            return polls(consumer, body);
        });
    }

    private static boolean polls(DefaultLitePullConsumer consumer, String body) {
        for (int i = 0; i < 3; i++) {
            List<MessageExt> polled = consumer.poll(1000);
            if (!polled.isEmpty() && text(polled.get(0)).equals(body)) {
                return true;
            }
        }
        return false;
    }

    private static void twoGroups() throws Exception {
        String topic = topic(4);
        List<MessageExt> first = consume(pushConsumer(group()), topic, "*");
        List<MessageExt> second = consume(pushConsumer(group()), topic, "*");
        for (int i = 0; i < 20; i++) {
            producer().send(new Message(topic, bytes("m" + i)));
        }
        eventually(80, "both groups get all", () -> bodies(first).size() == 20 && bodies(second).size() == 20);
    }

    private static Set<String> bodies(List<MessageExt> messages) {
        Set<String> bodies = new TreeSet<>();
        messages.forEach(message -> bodies.add(text(message)));
        return bodies;
    }

    private static void holdOfClosedConnection() throws Exception {
        String topic = topic(1);
        for (int i = 0; i < 50; i++) {
            try (Raw raw = new Raw(broker)) {
                raw.send(Codes.PULL_MESSAGE, held(topic, 0, 15_000), null);
            }
        }
        CompletableFuture<Raw.Frame> living = raw().send(Codes.PULL_MESSAGE, held(topic, 0, 15_000), null);
        check(!Raw.answered(living, 300), "answered before anything arrived");
        send(topic, null, bytes("x"));
        code(0, living.get(Env.PATIENCE_MS, TimeUnit.MILLISECONDS), "the living one");
    }

    private static void malformedSubscription() throws Exception {
        String topic = topic(1);
        code(23, raw().call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 0), "subscription", "||")), "expression of bars only");
        // The connection survives a header that lacks a field or holds no number.
        Raw raw = raw();
        check(raw.call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 0), "queueId", null)).code() != 0, "queueId missing");
        check(raw.call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 0), "queueOffset", "many")).code() != 0, "queueOffset no number");
        code(19, raw.call(Codes.PULL_MESSAGE, pullFields(GROUP, topic, 0, 0)), "the connection still serves");
    }

    private static void offsetQueries() throws Exception {
        String topic = topic(1);
        Map<String, Object> queue = fields("topic", topic, "queueId", 0);
        Raw raw = raw();
        same(0L, code(0, raw.call(Codes.GET_MAX_OFFSET, queue), "max of an empty queue").number("offset"), "max");
        same(0L, code(0, raw.call(Codes.GET_MIN_OFFSET, queue), "min of an empty queue").number("offset"), "min");
        same(-1L, code(0, raw.call(Codes.GET_EARLIEST_MSG_STORETIME, queue), "earliest of an empty queue").number("timestamp"), "earliest");
        long[] times = new long[3];
        for (int i = 0; i < 3; i++) {
            send(topic, null, bytes("x"));
            times[i] = records(SendCases.pullFound(topic, 0, i)).get(0).getStoreTimestamp();
            Thread.sleep(30);
        }
        same(3L, raw.call(Codes.GET_MAX_OFFSET, queue).number("offset"), "max");
        same(times[0], raw.call(Codes.GET_EARLIEST_MSG_STORETIME, queue).number("timestamp"), "earliest");
        Map<Long, Long> lower = new HashMap<>(Map.of(times[0] - 1, 0L, times[0], 0L, times[0] + 1, 1L, times[2], 2L, times[2] + 1, 3L));
        for (Map.Entry<Long, Long> entry : lower.entrySet()) {
            Map<String, Object> search = with(fields("topic", topic, "queueId", 0), "timestamp", entry.getKey(), "boundaryType", "LOWER");
            same(entry.getValue(), raw.call(Codes.SEARCH_OFFSET_BY_TIMESTAMP, search).number("offset"), "lower bound of " + (entry.getKey() - times[0]));
        }
        Map<Long, Long> upper = new HashMap<>(Map.of(times[0], 0L, times[1] - 1, 0L, times[1], 1L, times[2], 2L));
        for (Map.Entry<Long, Long> entry : upper.entrySet()) {
            Map<String, Object> search = with(fields("topic", topic, "queueId", 0), "timestamp", entry.getKey(), "boundaryType", "UPPER");
            same(entry.getValue(), raw.call(Codes.SEARCH_OFFSET_BY_TIMESTAMP, search).number("offset"), "upper bound of " + (entry.getKey() - times[0]));
        }
    }

    private static void sendTags(String topic, String... tags) throws Exception {
        for (String tag : tags) {
            producer().send(new Message(topic, tag, bytes(tag)));
        }
    }

    private static void twoTags() throws Exception {
        String topic = topic(2);
        List<MessageExt> received = consume(pushConsumer(group()), topic, " A||  B ");
        sendTags(topic, "A", "B", "C", "AB", "A");
        eventually(80, "A, B, A", () -> received.size() == 3);
        Thread.sleep(1000);
        same(Set.of("A", "B"), bodies(received), "tags");
    }

    private static void equalTagHashes() throws Exception {
        String topic = topic(1);
        List<MessageExt> received = consume(pushConsumer(group()), topic, "Aa");
        sendTags(topic, "BB", "Aa", "BB");
        eventually(80, "the one asked for", () -> !received.isEmpty());
        Thread.sleep(500);
        same(List.of("Aa"), received.stream().map(Env::text).collect(Collectors.toList()), "what the listener saw");
        read(queues(topic).get(0), "*", 3);
        Raw.Frame both = raw().call(Codes.PULL_MESSAGE, with(pullFields(GROUP, topic, 0, 0), "subscription", "Aa"));
        same(3, records(code(0, both, "pull")).size(), "what the broker let through");
    }

    private static void subscriptionChanges() throws Exception {
        String topic = topic(1);
        DefaultMQPushConsumer consumer = pushConsumer(group());
        List<MessageExt> received = consume(consumer, topic, "A");
        sendTags(topic, "A", "B");
        eventually(80, "A", () -> bodies(received).equals(Set.of("A")));
        consumer.subscribe(topic, "B");
        // The held pull keeps the old filter until it ends; a message for it lets it end.
        Thread.sleep(1000);
        sendTags(topic, "A");
        Thread.sleep(500);
        eventually(80, "B after the change", () -> {
            sendTags(topic, "B");
            Thread.sleep(200);
            return bodies(received).contains("B");
        });
    }

    private static void sqlBesideTags() throws Exception {
        String topic = topic(1);
        DefaultMQPushConsumer sql = pushConsumer(group());
        List<MessageExt> bySql = new java.util.concurrent.CopyOnWriteArrayList<>();
        sql.subscribe(topic, MessageSelector.bySql("a > 5 AND b = 'x'"));
        sql.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            bySql.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        sql.start();
        List<MessageExt> byTag = consume(pushConsumer(group()), topic, "T1");
        for (int i = 0; i < 10; i++) {
            Message message = new Message(topic, "T" + i % 2, bytes("m" + i));
            message.putUserProperty("a", Integer.toString(i));
            message.putUserProperty("b", "x");
            producer().send(message);
        }
        eventually(80, "both", () -> bodies(bySql).size() >= 4 && bodies(byTag).size() >= 5);
        same(Set.of("m6", "m7", "m8", "m9"), bodies(bySql), "by SQL");
        same(Set.of("m1", "m3", "m5", "m7", "m9"), bodies(byTag), "by tag");
    }
}
