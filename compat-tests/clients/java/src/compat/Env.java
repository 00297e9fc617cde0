package compat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** What every case uses: addresses, names of its own, clients, hand-made requests, checks. */
public final class Env {
    /** Name server addresses, separated by semicolons. */
    public static String namesrv;
    /** The broker's address. */
    public static String broker;
    private static final String RUN = Long.toString(System.currentTimeMillis() % 100_000_000L, 36);
    private static final AtomicInteger NUMBER = new AtomicInteger();
    private static final ThreadLocal<Deque<AutoCloseable>> OWNED = ThreadLocal.withInitial(ArrayDeque::new);
    private static final BufferedReader ANSWERS = new BufferedReader(new InputStreamReader(System.in));
    /** How long a client waits for an answer about routes, members and the like: a machine may stand still for some seconds. */
    public static final int PATIENCE_MS = 30_000;
    private static DefaultMQProducer producer;
    private static DefaultMQPullConsumer reader;

    private Env() { }

    static void start() throws Exception {
        producer = new DefaultMQProducer("shared_producer_" + RUN);
        producer.setNamesrvAddr(namesrv);
        producer.setSendMsgTimeout(30_000);
        producer.setMqClientApiTimeout(PATIENCE_MS);
        producer.start();
        reader = new DefaultMQPullConsumer("shared_reader_" + RUN);
        reader.setNamesrvAddr(namesrv);
        reader.setInstanceName("reader");
        reader.setMqClientApiTimeout(PATIENCE_MS);
        reader.start();
    }

    // ---- talking to the harness

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** Asks the harness to do something to the servers, and waits until it is done. */
    static synchronized void control(String order) throws IOException {
        say("CONTROL " + order);
        String answer = ANSWERS.readLine();
        check("OK".equals(answer), "harness: " + answer);
    }

    // ---- names and things that end with the case

    public static String name(String hint) {
        return hint + "_" + RUN + "_" + NUMBER.incrementAndGet();
    }

    public static <T extends AutoCloseable> T own(T thing) {
        OWNED.get().push(thing);
        return thing;
    }

    static void closeOwned() {
        Deque<AutoCloseable> owned = OWNED.get();
        while (!owned.isEmpty()) {
            try {
                owned.pop().close();
            } catch (Exception e) {
                // The case is decided; a connection that is gone already is no news.
                System.err.println(e);
            }
        }
    }

    // ---- checks

    public static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    public static void same(Object expected, Object actual, String what) {
        check(Objects.equals(expected, actual), what + ": expected " + expected + ", got " + actual);
    }

    static Raw.Frame code(int expected, Raw.Frame answer, String what) {
        check(answer.code() == expected, what + ": expected code " + expected + ", got " + answer);
        return answer;
    }

    static void between(double low, double high, double actual, String what) {
        check(actual >= low && actual <= high, what + ": expected " + low + ".." + high + ", got " + actual);
    }

    /** A condition that may throw. */
    public interface Condition {
        boolean holds() throws Exception;
    }

    /**
     * As {@link #eventually}, for what must come soon: the bound is a number of looks, 50 to the second. So a machine that is slow, or
     * stands still for a while, has as much longer.
     */
    static void soon(int seconds, String what, Condition condition) throws Exception {
        for (int looks = 0; looks < seconds * 50; looks++) {
            if (condition.holds()) {
                return;
            }
            Thread.sleep(20);
        }
        throw new AssertionError("not within " + seconds * 50 + " looks: " + what);
    }

    /** Looks every 20 ms until the condition holds. */
    public static void eventually(int seconds, String what, Condition condition) throws Exception {
        long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
        Exception last = null;
        while (System.nanoTime() < end) {
            try {
                last = null;
                if (condition.holds()) {
                    return;
                }
            } catch (Exception e) {
                last = e;
            }
            Thread.sleep(20);
        }
        throw new AssertionError("not within " + seconds + " s: " + what + (last == null ? "" : " (" + last + ")"));
    }

    public static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    public static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    // ---- official clients

    public static DefaultMQProducer producer() {
        return producer;
    }

    /** A push consumer that starts at the first message, not yet subscribed or started. */
    public static DefaultMQPushConsumer pushConsumer(String group) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(2);
        consumer.setConsumeThreadMax(2);
        // Cases run in one process: without a name of its own each consumer would share a connection with its group mates.
        consumer.setInstanceName(name("i"));
        consumer.setMqClientApiTimeout(PATIENCE_MS);
        // Else a shutdown writes its offsets while a listener is still on its way out with the last message.
        consumer.setAwaitTerminationMillisWhenShutdown(10_000);
        own(consumer::shutdown);
        return consumer;
    }

    /** Consumes into the list that is returned. */
    public static List<MessageExt> consume(DefaultMQPushConsumer consumer, String topic, String expression) throws Exception {
        return consume(consumer, topic, expression, message -> ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
    }

    static List<MessageExt> consume(DefaultMQPushConsumer consumer, String topic, String expression,
        Function<MessageExt, ConsumeConcurrentlyStatus> verdict) throws Exception {
        List<MessageExt> received = new CopyOnWriteArrayList<>();
        consumer.subscribe(topic, expression);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            received.addAll(messages);
            return verdict.apply(messages.get(0));
        });
        consumer.start();
        return received;
    }

    /** By reflection, because the enum stands in another package in each line of clients. */
    static void broadcast(DefaultMQPushConsumer consumer) throws Exception {
        for (java.lang.reflect.Method method : consumer.getClass().getMethods()) {
            if (method.getName().equals("setMessageModel")) {
                for (Object model : method.getParameterTypes()[0].getEnumConstants()) {
                    if (model.toString().equals("BROADCASTING")) {
                        method.invoke(consumer, model);
                        return;
                    }
                }
            }
        }
        throw new AssertionError("no setMessageModel");
    }

    /** The sysFlag in the record of queue 0's first message; the client clears the compression bit when it decodes. */
    public static int storedFlag(String topic) throws Exception {
        try (Raw raw = new Raw(broker)) {
            first(topic);
            Raw.Frame answer = code(0, raw.call(Codes.PULL_MESSAGE, pullFields("TOOLS_CONSUMER", topic, 0, 0)), "pull");
            return ByteBuffer.wrap(answer.body()).getInt(36);
        }
    }

    /** The id made of store host and physical offset. */
    static String offsetId(MessageExt message) {
        return ((org.apache.rocketmq.common.message.MessageClientExt) message).getOffsetMsgId();
    }

    /** Waits until the broker knows that the group has consumed so many messages of the topic: clients tell it without waiting. */
    public static void awaitCommitted(String group, String topic, long count) throws Exception {
        eventually(80, count + " messages of " + topic + " committed by " + group, () -> committed(group, topic) == count);
    }

    /** The sum of the offsets that the broker has of the group. */
    public static long committed(String group, String topic) throws Exception {
        long sum = 0;
        try (Raw raw = new Raw(broker)) {
            for (MessageQueue queue : queues(topic)) {
                Raw.Frame stored = raw.call(Codes.QUERY_CONSUMER_OFFSET, fields("consumerGroup", group, "topic", topic,
                    "queueId", queue.getQueueId(), "setZeroIfNotFound", false));
                sum += stored.code() == 0 ? stored.number("offset") : 0;
            }
        }
        return sum;
    }

    /** The queues this consumer holds, of this topic. */
    static Set<MessageQueue> held(DefaultMQPushConsumer consumer, String topic) {
        Set<MessageQueue> queues = new java.util.HashSet<>(
            consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet());
        queues.removeIf(queue -> !queue.getTopic().equals(topic));
        return queues;
    }

    static List<MessageQueue> queues(String topic) throws Exception {
        List<MessageQueue> queues = new ArrayList<>(reader.fetchSubscribeMessageQueues(topic));
        queues.sort(Comparator.naturalOrder());
        return queues;
    }

    /** All messages of a queue from its first one, read with the official client. */
    static List<MessageExt> read(MessageQueue queue, String expression) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        long offset = 0;
        while (true) {
            PullResult result = reader.pull(queue, expression, offset, 32, PATIENCE_MS);
            switch (result.getPullStatus()) {
                case FOUND:
                    messages.addAll(result.getMsgFoundList());
                    break;
                case NO_NEW_MSG:
                    return messages;
                default:
                    break;
            }
            if (result.getNextBeginOffset() == offset) {
                return messages;
            }
            offset = result.getNextBeginOffset();
        }
    }

    /** The messages of a queue once there are that many: a message is readable a moment after its send. */
    public static List<MessageExt> read(MessageQueue queue, String expression, int count) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        eventually(80, count + " messages in " + queue, () -> {
            messages.clear();
            messages.addAll(read(queue, expression));
            return messages.size() >= count;
        });
        return messages;
    }

    /** The first message of a topic of one queue, once it is readable. */
    public static MessageExt first(String topic) throws Exception {
        return read(queues(topic).get(0), "*", 1).get(0);
    }

    /** All messages of a topic. */
    public static List<MessageExt> read(String topic) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        for (MessageQueue queue : queues(topic)) {
            messages.addAll(read(queue, "*"));
        }
        return messages;
    }

    static DefaultMQPullConsumer reader() {
        return reader;
    }

    // ---- hand-made requests

    /** A connection to the broker that ends with the case. */
    static Raw raw() throws IOException {
        return own(new Raw(broker));
    }

    /** A connection to the first name server. */
    static Raw rawNamesrv() throws IOException {
        return own(new Raw(namesrv.split(";")[0]));
    }

    static Map<String, Object> fields(Object... pairs) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            fields.put((String) pairs[i], pairs[i + 1]);
        }
        return fields;
    }

    static Map<String, Object> with(Map<String, Object> fields, Object... pairs) {
        fields.putAll(fields(pairs));
        return fields;
    }

    /** Header of UPDATE_AND_CREATE_TOPIC. */
    static Map<String, Object> topicFields(String topic, int queues, int perm) {
        return fields("topic", topic, "defaultTopic", "TBW102", "readQueueNums", queues, "writeQueueNums", queues, "perm", perm,
            "topicFilterType", "SINGLE_TAG", "topicSysFlag", 0, "order", false);
    }

    /** A new topic that the name server knows already. */
    public static String topic(int queues) throws Exception {
        String topic = name("T");
        createTopic(topic, queues, 6);
        return topic;
    }

    static void createTopic(String topic, int queues, int perm) throws Exception {
        try (Raw raw = new Raw(broker)) {
            code(0, raw.call(Codes.UPDATE_AND_CREATE_TOPIC, topicFields(topic, queues, perm)), "create " + topic);
        }
        for (String server : namesrv.split(";")) {
            try (Raw raw = new Raw(server)) {
                eventually(80, "route of " + topic, () -> {
                    Raw.Frame route = raw.call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic, "acceptStandardJsonOnly", true));
                    return route.code() == 0 && queueData(route).get("perm").equals((long) perm);
                });
            }
        }
    }

    /** The queue description of the only broker in a route. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> queueData(Raw.Frame route) {
        return ((List<Map<String, Object>>) Json.object(route.body()).get("queueDatas")).get(0);
    }

    /** A new group, with upstream's defaults save for the given pairs. */
    public static String group(Object... pairs) throws Exception {
        String group = name("G");
        updateGroup(group, pairs);
        return group;
    }

    /** A new group whose retry topic is routed already; else its first member learns of it only with the next look at routes, after 30 s. */
    static String retryGroup() throws Exception {
        String group = group();
        createTopic("%RETRY%" + group, 1, 6);
        return group;
    }

    static void updateGroup(String group, Object... pairs) throws Exception {
        Map<String, Object> config = fields("groupName", group, "consumeEnable", true, "consumeFromMinEnable", true,
            "consumeBroadcastEnable", true, "retryQueueNums", 1, "retryMaxTimes", 16, "brokerId", 0, "whichBrokerWhenConsumeSlowly", 1,
            "notifyConsumerIdsChangedEnable", true);
        try (Raw raw = new Raw(broker)) {
            code(0, raw.call(Codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, Map.of(), bytes(Json.write(with(config, pairs)))), "create " + group);
        }
    }

    /** Header of SEND_MESSAGE_V2. */
    static Map<String, Object> sendFields(String topic, int queue) {
        return fields("a", "raw_producer", "b", topic, "c", "TBW102", "d", 4, "e", queue, "f", 0, "g", System.currentTimeMillis(),
            "h", 0, "i", "WAIT\u0001true\u0002", "j", 0, "k", false, "m", false, "n", "broker-a");
    }

    /** Header of PULL_MESSAGE with the subscription in the request. */
    static Map<String, Object> pullFields(String group, String topic, int queue, long offset) {
        return fields("consumerGroup", group, "topic", topic, "queueId", queue, "queueOffset", offset, "maxMsgNums", 32, "sysFlag", 4,
            "commitOffset", 0, "suspendTimeoutMillis", 15_000, "subscription", "*", "subVersion", 0, "expressionType", "TAG");
    }

    static List<MessageExt> records(Raw.Frame answer) {
        return MessageDecoder.decodes(ByteBuffer.wrap(answer.body()));
    }

    /** Body of HEART_BEAT with one consumer group. */
    static byte[] heartbeat(String clientId, String group, String model, long version, String... topics) {
        List<Object> subscriptions = new ArrayList<>();
        for (String topic : topics) {
            subscriptions.add(fields("classFilterMode", false, "codeSet", List.of(), "expressionType", "TAG", "subString", "*",
                "subVersion", version, "tagsSet", List.of(), "topic", topic));
        }
        Map<String, Object> consumer = fields("consumeFromWhere", "CONSUME_FROM_FIRST_OFFSET", "consumeType", "CONSUME_PASSIVELY",
            "groupName", group, "messageModel", model, "subscriptionDataSet", subscriptions, "unitMode", false);
        return bytes(Json.write(fields("clientID", clientId, "consumerDataSet", List.of(consumer), "heartbeatFingerprint", 0,
            "producerDataSet", List.of(), "withoutSub", false)));
    }

    /** The members of a group as the broker lists them; empty when there are none. */
    @SuppressWarnings("unchecked")
    static List<String> members(Raw raw, String group) throws Exception {
        Raw.Frame answer = raw.call(Codes.GET_CONSUMER_LIST_BY_GROUP, fields("consumerGroup", group));
        return answer.code() == 0 ? (List<String>) Json.object(answer.body()).get("consumerIdList") : List.of();
    }
}
