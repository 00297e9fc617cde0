package compat;

import static compat.Env.*;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Orderly consumption and the queue locks under it. */
final class OrderCases {
    private OrderCases() { }

    static void register(Suite suite) {
        suite.add("O01", OrderCases::orderHoldsThroughJoinAndLeave);
        suite.add("O02", OrderCases::suspendedQueueWaits);
        suite.add("O03", java.util.EnumSet.of(Suite.Mark.RAW, Suite.Mark.SLOW), OrderCases::lockOfTheDeadExpires);
        suite.raw("O04", OrderCases::lockExcludes);
        suite.raw("O05", OrderCases::onlyTheOwnerUnlocks);
        suite.add("O06", OrderCases::givesUpAfterLimit);
        suite.raw("O08", OrderCases::orderConfInRoute);
    }

    /** Checks that what arrives of each shard is 0, 1, 2, …; a repeat of an earlier one is allowed. */
    static final class OrderWatch {
        private final Map<String, Integer> last = new ConcurrentHashMap<>();
        final List<String> violations = new CopyOnWriteArrayList<>();

        void saw(String body) {
            String[] parts = body.split(":");
            int number = Integer.parseInt(parts[1]);
            last.compute(parts[0], (shard, before) -> {
                int expected = before == null ? 0 : before + 1;
                if (number > expected) {
                    violations.add(shard + ": " + number + " where " + expected + " was due");
                }
                return Math.max(number, expected - 1);
            });
        }

        boolean complete(int shards, int each) {
            return last.size() == shards && last.values().stream().allMatch(number -> number == each - 1);
        }

        @Override
        public String toString() {
            return last.toString();
        }
    }

    static void sendShard(String topic, String shard, int number) throws Exception {
        producer().send(new Message(topic, bytes(shard + ":" + number)),
            (queues, message, key) -> queues.get(Math.floorMod(key.hashCode(), queues.size())), shard);
    }

    static DefaultMQPushConsumer orderly(String group, String topic, OrderWatch watch) throws Exception {
        DefaultMQPushConsumer consumer = pushConsumer(group);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            messages.forEach(message -> watch.saw(text(message)));
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    private static void orderHoldsThroughJoinAndLeave() throws Exception {
        String topic = topic(4);
        String group = group();
        OrderWatch watch = new OrderWatch();
        DefaultMQPushConsumer second = null;
        orderly(group, topic, watch);
        int each = 150;
        for (int i = 0; i < each; i++) {
            for (String shard : List.of("a", "b", "c")) {
                sendShard(topic, shard, i);
            }
            if (i == each / 3) {
                second = orderly(group, topic, watch);
                DefaultMQPushConsumer joined = second;
                eventually(80, "the second member holds queues", () -> !held(joined, topic).isEmpty());
            }
            if (i == 2 * each / 3) {
                second.shutdown();
            }
            Thread.sleep(5);
        }
        eventually(80, "all of " + watch, () -> watch.complete(3, each));
        same(List.of(), watch.violations, "out of order");
    }

    private static void suspendedQueueWaits() throws Exception {
        String topic = topic(2);
        List<MessageQueue> queues = queues(topic);
        producer().send(new Message(topic, bytes("stuck")), queues.get(0));
        producer().send(new Message(topic, bytes("waits")), queues.get(0));
        producer().send(new Message(topic, bytes("moves")), queues.get(1));
        List<String> seen = new CopyOnWriteArrayList<>();
        List<Long> tries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = pushConsumer(group());
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String body = text(messages.get(0));
            seen.add(body);
            if (body.equals("stuck")) {
                tries.add(System.nanoTime());
                if (tries.size() < 3) {
                    context.setSuspendCurrentQueueTimeMillis(1000);
                    return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                }
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        eventually(80, "all consumed", () -> seen.contains("waits") && seen.contains("moves"));
        same(3, tries.size(), "tries");
        between(0.9, 60, (tries.get(1) - tries.get(0)) / 1e9, "seconds suspended");
        check(seen.lastIndexOf("stuck") < seen.indexOf("waits"), "the message behind came first: " + seen);
    }

    private static byte[] lockBody(String client, String group, String topic, int... queues) {
        List<Object> set = new ArrayList<>();
        for (int queue : queues) {
            set.add(fields("brokerName", "broker-a", "queueId", queue, "topic", topic));
        }
        return bytes(Json.write(fields("clientId", client, "consumerGroup", group, "mqSet", set, "onlyThisBroker", false)));
    }

    @SuppressWarnings("unchecked")
    private static Set<Long> lock(String client, String group, String topic, int... queues) throws Exception {
        Raw.Frame answer = code(0, raw().call(Codes.LOCK_BATCH_MQ, Map.of(), lockBody(client, group, topic, queues)), "lock");
        Set<Long> granted = new java.util.TreeSet<>();
        for (Object queue : (List<Object>) Json.object(answer.body()).get("lockOKMQSet")) {
            Map<String, Object> fields = (Map<String, Object>) queue;
            same("broker-a", fields.get("brokerName"), "echoed broker");
            same(topic, fields.get("topic"), "echoed topic");
            granted.add((Long) fields.get("queueId"));
        }
        return granted;
    }

    private static void unlock(String client, String group, String topic, int... queues) throws Exception {
        code(0, raw().call(Codes.UNLOCK_BATCH_MQ, Map.of(), lockBody(client, group, topic, queues)), "unlock");
    }

    private static void lockExcludes() throws Exception {
        String topic = topic(3);
        String group = group();
        same(Set.of(0L, 1L), lock("A", group, topic, 0, 1), "granted to A");
        same(Set.of(2L), lock("B", group, topic, 0, 1, 2), "granted to B");
        same(Set.of(0L), lock("A", group, topic, 0, 2), "A again");
        unlock("A", group, topic, 0, 1);
        same(Set.of(0L, 1L, 2L), lock("B", group, topic, 0, 1, 2), "granted to B after A let go");
        same(Set.of(0L), lock("A", group(), topic, 0), "another group");
    }

    /** The reference does not free locks when their owner's connection ends; only time does. */
    private static void lockOfTheDeadExpires() throws Exception {
        String topic = topic(1);
        String group = group();
        try (Raw owner = new Raw(broker)) {
            code(0, owner.call(Codes.LOCK_BATCH_MQ, Map.of(), lockBody("dead", group, topic, 0)), "lock");
        }
        long start = System.nanoTime();
        eventually(100, "granted to the next", () -> {
            Thread.sleep(500);
            return lock("next", group, topic, 0).contains(0L);
        });
        between(59, 90, (System.nanoTime() - start) / 1e9, "seconds until the lock was free");
    }

    private static void onlyTheOwnerUnlocks() throws Exception {
        String topic = topic(1);
        String group = group();
        same(Set.of(0L), lock("A", group, topic, 0), "granted to A");
        unlock("B", group, topic, 0);
        same(Set.of(), lock("B", group, topic, 0), "granted to B");
        same(Set.of(0L), lock("A", group, topic, 0), "A still owns it");
    }

    private static void givesUpAfterLimit() throws Exception {
        String topic = topic(1);
        String group = group();
        producer().send(new Message(topic, bytes("poison")));
        producer().send(new Message(topic, bytes("behind")));
        AtomicInteger deliveries = new AtomicInteger();
        AtomicBoolean behind = new AtomicBoolean();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        consumer.setMaxReconsumeTimes(3);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            if (text(messages.get(0)).equals("behind")) {
                behind.set(true);
                return ConsumeOrderlyStatus.SUCCESS;
            }
            deliveries.incrementAndGet();
            context.setSuspendCurrentQueueTimeMillis(100);
            return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
        });
        consumer.start();
        eventually(80, "the queue goes on", behind::get);
        same(4, deliveries.get(), "deliveries");
        eventually(80, "in the dead-letter topic", () -> {
            List<MessageExt> dead = read("%DLQ%" + group);
            return dead.size() == 1 && text(dead.get(0)).equals("poison");
        });
    }

    private static void orderConfInRoute() throws Exception {
        String topic = topic(2);
        code(0, rawNamesrv().call(Codes.PUT_KV_CONFIG, fields("namespace", "ORDER_TOPIC_CONFIG", "key", topic, "value", "broker-a:2")), "put");
        Raw.Frame route = rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic, "acceptStandardJsonOnly", true));
        same("broker-a:2", Json.object(code(0, route, "route").body()).get("orderTopicConf"), "order conf");
    }
}
