package compat;

import static compat.Env.*;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** What must outlive the processes, and what depends on settings of the whole broker. One after another, at the end. */
final class RestartCases {
    private RestartCases() { }

    static void register(Suite suite) {
        EnumSet<Suite.Mark> alone = EnumSet.of(Suite.Mark.ALONE);
        EnumSet<Suite.Mark> aloneRaw = EnumSet.of(Suite.Mark.ALONE, Suite.Mark.RAW);
        suite.add("S18", alone, RestartCases::writePermissionWiped);
        suite.add("N04", aloneRaw, RestartCases::keyValuesOutliveTheNameServer);
        suite.add("N05", alone, RestartCases::oneOfTwoNameServersGone);
        suite.add("P20", alone, RestartCases::restartUnderConsumers);
        suite.add("M09", alone, RestartCases::killAfterCommit);
        suite.add("C01", alone, RestartCases::killUnderLoad);
        suite.add("S04", alone, RestartCases::noAutomaticCreation);
        suite.add("A13", aloneRaw, RestartCases::sentAway);
        suite.add("A16", EnumSet.of(Suite.Mark.OWN), RestartCases::lightQueues);
        suite.add("P19", EnumSet.of(Suite.Mark.ALONE, Suite.Mark.OWN, Suite.Mark.SLOW), RestartCases::expiredMessages);
    }

    private static void writePermissionWiped() throws Exception {
        String topic = topic(2);
        producer().send(new Message(topic, bytes("before")));
        // The retry topic is there: one that is made now would have the broker register all its topics anew, as they were.
        List<MessageExt> received = consume(pushConsumer(retryGroup()), topic, "*");
        for (String server : namesrv.split(";")) {
            try (Raw raw = new Raw(server)) {
                check(code(0, raw.call(Codes.WIPE_WRITE_PERM_OF_BROKER, fields("brokerName", "broker-a")), "wipe").number("wipeTopicCount") > 10, "topics wiped");
            }
        }
        try {
            same(4L, queueData(rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic, "acceptStandardJsonOnly", true))).get("perm"), "perm");
            DefaultMQProducer fresh = new DefaultMQProducer(name("P"));
            fresh.setNamesrvAddr(namesrv);
            fresh.setInstanceName(name("i"));
            fresh.setMqClientApiTimeout(PATIENCE_MS);
            own(fresh::shutdown);
            fresh.start();
            try {
                fresh.send(new Message(topic, bytes("refused")));
                throw new AssertionError("a writable queue was found");
            } catch (MQClientException expected) {
                check(expected.getMessage().contains("No route info"), expected.getMessage());
            }
            eventually(80, "consumers drain", () -> received.size() == 1);
        } finally {
            for (String server : namesrv.split(";")) {
                try (Raw raw = new Raw(server)) {
                    code(0, raw.call(Codes.ADD_WRITE_PERM_OF_BROKER, fields("brokerName", "broker-a")), "add");
                }
            }
        }
        same(6L, queueData(rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic, "acceptStandardJsonOnly", true))).get("perm"), "perm");
    }

    private static void keyValuesOutliveTheNameServer() throws Exception {
        String key = name("key");
        code(0, rawNamesrv().call(Codes.PUT_KV_CONFIG, fields("namespace", "kept", "key", key, "value", "still here")), "put");
        control("stop-namesrv 0");
        control("start-namesrv 0");
        same("still here", code(0, rawNamesrv().call(Codes.GET_KV_CONFIG, fields("namespace", "kept", "key", key)), "get").ext().get("value"), "value");
        brokerIsBack();
    }

    /** A broker registers every 30 s. */
    private static void brokerIsBack() throws Exception {
        eventually(80, "the broker registers with the name server that came back", () ->
            rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", "TBW102")).code() == 0);
    }

    private static void oneOfTwoNameServersGone() throws Exception {
        String known = topic(1);
        List<MessageExt> received = consume(pushConsumer(group()), known, "*");
        control("stop-namesrv 0");
        try {
            String topic = name("Auto");
            // The first look at routes after the loss may fail; then the client turns to the other.
            eventually(80, "sent to a new topic", () -> producer().send(new Message(topic, bytes("x"))).getSendStatus() == SendStatus.SEND_OK);
            eventually(80, "consumed", () -> {
                producer().send(new Message(known, bytes("x")));
                Thread.sleep(500);
                return !received.isEmpty();
            });
        } finally {
            control("start-namesrv 0");
            brokerIsBack();
        }
    }

    /** Also O07: the orderly consumers get their locks again. And D03: a delayed message is delivered once, not before its time. */
    private static void restartUnderConsumers() throws Exception {
        String topic = topic(4);
        String ordered = topic(2);
        String delayed = topic(1);
        var seen = new CopyOnWriteArraySet<String>();
        DefaultMQPushConsumer consumer = pushConsumer(group());
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> seen.add(text(message)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        List<MessageExt> late = consume(pushConsumer(group()), delayed, "*");
        OrderCases.OrderWatch watch = new OrderCases.OrderWatch();
        OrderCases.orderly(group(), ordered, watch);
        String committer = group();
        code(0, raw().call(Codes.UPDATE_CONSUMER_OFFSET, fields("consumerGroup", committer, "topic", topic, "queueId", 3, "commitOffset", 41)), "commit");
        int number = 0;
        for (; number < 20; number++) {
            producer().send(new Message(topic, bytes("m" + number)));
            OrderCases.sendShard(ordered, "a", number);
            OrderCases.sendShard(ordered, "b", number);
        }
        eventually(80, "consumed before", () -> seen.size() == 20 && watch.complete(2, 20));
        Message later = new Message(delayed, bytes("later"));
        later.setDelayTimeLevel(3);
        producer().send(later);
        control("restart-broker");
        for (; number < 40; number++) {
            String body = "m" + number;
            eventually(80, "send after the restart", () -> producer().send(new Message(topic, bytes(body))).getSendStatus() == SendStatus.SEND_OK);
            int next = number;
            eventually(80, "ordered send", () -> {
                OrderCases.sendShard(ordered, "a", next);
                return true;
            });
            eventually(80, "ordered send", () -> {
                OrderCases.sendShard(ordered, "b", next);
                return true;
            });
        }
        eventually(80, "consumed after: " + seen.size() + " " + watch, () -> seen.size() == 40 && watch.complete(2, 40));
        same(List.of(), watch.violations, "out of order");
        eventually(80, "the delayed one", () -> !late.isEmpty());
        between(9.9, 160, (late.get(0).getStoreTimestamp() - late.get(0).getBornTimestamp()) / 1e3, "seconds delayed");
        // Whether a consumer sees one twice around a restart is up to the client: the store is what counts.
        same(1, read(delayed).size(), "deliveries of the delayed one");
        Raw.Frame stored = raw().call(Codes.QUERY_CONSUMER_OFFSET, fields("consumerGroup", committer, "topic", topic, "queueId", 3));
        same(41L, code(0, stored, "query").number("offset"), "offset across the restart");
    }

    private static void killAfterCommit() throws Exception {
        String topic = topic(1);
        String group = group();
        for (int i = 0; i < 50; i++) {
            producer().send(new Message(topic, bytes("m" + i)));
        }
        List<MessageExt> before = consume(pushConsumer(group), topic, "*");
        eventually(80, "fifty", () -> before.size() == 50);
        closeOwned();
        control("kill-broker");
        control("start-broker");
        List<MessageExt> after = consume(pushConsumer(group), topic, "*");
        eventually(80, "a message after", () -> {
            producer().send(new Message(topic, bytes("new")));
            Thread.sleep(500);
            return after.stream().anyMatch(message -> text(message).equals("new"));
        });
        check(after.stream().filter(message -> text(message).startsWith("m")).count() <= 50, "redelivered more than there was");
        List<String> stored = read(topic).stream().map(Env::text).collect(Collectors.toList());
        for (int i = 0; i < 50; i++) {
            same("m" + i, stored.get(i), "message " + i);
        }
    }

    private static void killUnderLoad() throws Exception {
        String topic = topic(4);
        List<MessageQueue> queues = queues(topic);
        Map<Integer, ConcurrentLinkedQueue<String>> acknowledged = new ConcurrentHashMap<>();
        AtomicBoolean go = new AtomicBoolean(true);
        List<Thread> senders = new ArrayList<>();
        for (MessageQueue queue : queues) {
            ConcurrentLinkedQueue<String> mine = new ConcurrentLinkedQueue<>();
            acknowledged.put(queue.getQueueId(), mine);
            Thread sender = new Thread(() -> {
                for (int i = 0; go.get(); i++) {
                    try {
                        SendResult result = producer().send(new Message(topic, bytes("q" + queue.getQueueId() + ":" + i)), queue, 2000);
                        if (result.getSendStatus() == SendStatus.SEND_OK) {
                            mine.add("q" + queue.getQueueId() + ":" + i + "@" + result.getQueueOffset());
                        }
                    } catch (Exception e) {
                        pause(20);
                    }
                }
            });
            senders.add(sender);
            sender.start();
        }
        for (int round = 0; round < 2; round++) {
            underLoad(acknowledged);
            control("kill-broker");
            control("start-broker");
        }
        underLoad(acknowledged);
        go.set(false);
        for (Thread sender : senders) {
            sender.join();
        }
        int total = 0;
        for (MessageQueue queue : queues) {
            long end = acknowledged.get(queue.getQueueId()).stream().mapToLong(RestartCases::offset).max().orElse(-1) + 1;
            List<MessageExt> stored = read(queue, "*", (int) end);
            Map<Long, String> byOffset = new HashMap<>();
            for (int i = 0; i < stored.size(); i++) {
                same((long) i, stored.get(i).getQueueOffset(), "offset in queue " + queue.getQueueId());
                byOffset.put((long) i, text(stored.get(i)));
            }
            long last = -1;
            for (String entry : acknowledged.get(queue.getQueueId())) {
                String body = entry.substring(0, entry.indexOf('@'));
                long offset = offset(entry);
                same(body, byOffset.get(offset), "acknowledged message at " + offset + " of queue " + queue.getQueueId());
                check(offset > last, "order at " + offset);
                last = offset;
                total++;
            }
        }
        check(total > 200, "only " + total + " sends were acknowledged");
    }

    /** Lets the senders send: for a second and a half, and until some have gone through, however slow the machine is. */
    private static void underLoad(Map<Integer, ConcurrentLinkedQueue<String>> acknowledged) throws Exception {
        int before = acknowledged.values().stream().mapToInt(ConcurrentLinkedQueue::size).sum();
        pause(1500);
        eventually(80, "a hundred sends", () -> acknowledged.values().stream().mapToInt(ConcurrentLinkedQueue::size).sum() >= before + 100);
    }

    private static long offset(String entry) {
        return Long.parseLong(entry.substring(entry.indexOf('@') + 1));
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Also P11: with the same restart, groups are not made on demand. */
    private static void noAutomaticCreation() throws Exception {
        String existing = topic(1);
        control("set-broker autoCreateTopicEnable=false");
        control("set-broker autoCreateSubscriptionGroup=false");
        control("restart-broker");
        String topic = name("NotMade");
        code(17, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("x")), "raw send");
        try {
            producer().send(new Message(topic, bytes("x")));
            throw new AssertionError("the client sent to a topic that does not exist");
        } catch (MQClientException expected) {
            check(expected.getResponseCode() == 17 || expected.getMessage().contains("No route info"), expected.getMessage());
        }
        Map<String, Object> back = fields("offset", 0, "group", name("NotMade"), "delayLevel", 0, "unitMode", false);
        code(26, raw().call(Codes.CONSUMER_SEND_MSG_BACK, back), "R05: send back to an unknown group");
        code(26, raw().call(Codes.PULL_MESSAGE, pullFields(name("NotMade"), existing, 0, 0)), "P11: pull of an unknown group");
    }

    /** On a broker whose files are small and expire at once. A consumer whose place is gone goes on with what is left. */
    private static void expiredMessages() throws Exception {
        String topic = topic(1);
        String group = group();
        Raw raw = raw();
        code(0, raw.call(Codes.UPDATE_CONSUMER_OFFSET, fields("consumerGroup", group, "topic", topic, "queueId", 0, "commitOffset", 1)), "commit");
        byte[] body = new byte[20_000];
        new java.util.Random(1).nextBytes(body);
        for (int i = 0; i < 250; i++) {
            producer().send(new Message(topic, body));
        }
        Map<String, Object> queue = fields("topic", topic, "queueId", 0);
        code(0, raw.call(Codes.DELETE_EXPIRED_COMMITLOG, Map.of()), "delete");
        eventually(150, "the first messages are gone", () -> raw.call(Codes.GET_MIN_OFFSET, queue).number("offset") > 1);
        // Whatever goes while the consumer reads: it must come to an end, and miss nothing that is left.
        Raw.Frame moved = code(21, raw.call(Codes.PULL_MESSAGE, pullFields(group, topic, 0, 1)), "a place that is gone");
        long min = raw.call(Codes.GET_MIN_OFFSET, queue).number("offset");
        same(min, moved.number("nextBeginOffset"), "next offset");
        List<MessageExt> received = consume(pushConsumer(group), topic, "*");
        eventually(80, "what is left", () -> received.size() == 250 - min);
        Thread.sleep(1000);
        same(250 - min, received.stream().map(MessageExt::getQueueOffset).distinct().count(), "messages");
        same(250L - min, (long) received.size(), "deliveries");
        same("250", Long.toString(raw.call(Codes.GET_MAX_OFFSET, queue).number("offset")), "end");
    }

    /** On a broker with light queues: one record on disk, an offset in each queue that it names. */
    private static void lightQueues() throws Exception {
        String topic = topic(1);
        String a = "%LMQ%" + name("a");
        String b = "%LMQ%" + name("b");
        String[] targets = {a + "," + b, a, null};
        for (int i = 0; i < targets.length; i++) {
            Message message = new Message(topic, bytes("m" + i));
            if (targets[i] != null) {
                MessageAccessor.putProperty(message, "INNER_MULTI_DISPATCH", targets[i]);
            }
            same(SendStatus.SEND_OK, producer().send(message).getSendStatus(), "status");
        }
        List<MessageExt> all = read(queues(topic).get(0), "*", 3);
        same("0,0", all.get(0).getProperty("INNER_MULTI_QUEUE_OFFSET"), "offsets of the first");
        same("1", all.get(1).getProperty("INNER_MULTI_QUEUE_OFFSET"), "offset of the second");
        Map<String, List<String>> expected = Map.of(a, List.of("m0", "m1"), b, List.of("m0"));
        for (Map.Entry<String, List<String>> queue : expected.entrySet()) {
            String name = queue.getKey();
            int count = queue.getValue().size();
            same((long) count, raw().call(Codes.GET_MAX_OFFSET, fields("topic", name, "queueId", 0)).number("offset"), "end of " + name);
            Raw.Frame answer = code(0, raw().call(Codes.PULL_MESSAGE, pullFields(group(), name, 0, 0)), "pull of " + name);
            List<MessageExt> messages = records(answer);
            same(queue.getValue(), messages.stream().map(Env::text).collect(Collectors.toList()), "messages of " + name);
            same(all.get(0).getCommitLogOffset(), messages.get(0).getCommitLogOffset(), "one record on disk");
            same((long) count, answer.number("nextBeginOffset"), "next offset");
            code(19, raw().call(Codes.PULL_MESSAGE, pullFields(group(), name, 0, count)), "its end");
        }
    }

    /** A broker that is about to stop sends new clients away and serves old ones. */
    private static void sentAway() throws Exception {
        String topic = topic(1);
        control("set-broker enableShutdownGracefully=true");
        try {
            // Not seen when nobody asked in those seconds, because the machine stood still: then once more, with more time.
            for (int seconds = 3; ; seconds *= 3) {
                control("set-broker shutdownWaitTimeSeconds=" + seconds);
                control("restart-broker");
                Raw.Frame away = askUntilItStops(topic);
                if (away != null) {
                    code(1500, away, "while it stops");
                    same("please go away", away.remark(), "remark");
                    return;
                }
                check(seconds < 27, "nobody was sent away");
                control("start-broker");
            }
        } finally {
            control("set-broker enableShutdownGracefully=false");
            control("start-broker");
        }
    }

    /** Stops the broker and asks meanwhile; the first answer that is a refusal, or null when the connection ended without one. */
    private static Raw.Frame askUntilItStops(String topic) throws Exception {
        Map<String, Object> end = fields("topic", topic, "queueId", 0);
        Thread stop = new Thread(() -> {
            try {
                control("stop-broker");
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        try (Raw raw = new Raw(broker)) {
            code(0, raw.call(Codes.GET_MAX_OFFSET, end), "before");
            stop.start();
            while (true) {
                Raw.Frame answer = raw.call(Codes.GET_MAX_OFFSET, end);
                if (answer.code() != 0) {
                    return answer;
                }
                Thread.sleep(20);
            }
        } catch (java.util.concurrent.ExecutionException | IOException ended) {
            return null;
        } finally {
            stop.join(120_000);
        }
    }
}
