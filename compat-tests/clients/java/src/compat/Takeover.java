package compat;

import static compat.Env.*;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * A store that changes hands between the reference and ours, again and again, with messages of every kind added on each leg. What was
 * sent is remembered here; after each change everything is read back and compared. The clients live through all of it.
 *
 * <p>Arguments: -namesrv ADDRS -broker ADDR -order stop-broker|kill-broker -legs reference,ours,… (the first is running) [-lmq].
 * A line PASS or FAIL for each step of each leg.
 */
public final class Takeover {
    private static final int QUEUES = 4;
    private static final int EACH = 50;
    private static final long HOUR = 3_600_000;

    /** A message whose place is known. */
    private static final class Sent {
        final String body;
        final String tags;
        final String keys;
        final String uniqueKey;
        final String property;

        Sent(Message message, SendResult result) {
            body = text(message);
            tags = message.getTags();
            keys = message.getKeys();
            uniqueKey = result.getMsgId();
            property = message.getUserProperty("leg");
        }
    }

    /** By queue, in the order of its offsets. */
    private final Map<MessageQueue, List<Sent>> sent = new LinkedHashMap<>();
    /** What must be delivered by the broker itself sooner or later, by topic. */
    private final Map<String, List<String>> owed = new TreeMap<>();
    /** Messages that are never to be seen in the topic. */
    private final List<String> rolledBack = new ArrayList<>();
    /** Messages that wait for longer than the test runs, by the queue they wait in. */
    private final Map<MessageQueue, Integer> waiting = new HashMap<>();
    /** Light queues, which ours leaves alone, by how many messages they have. */
    private final Map<MessageQueue, Integer> light = new HashMap<>();
    private final Map<String, LocalTransactionState> verdicts = new ConcurrentHashMap<>();
    private final List<String> legs;
    private final String order;
    private final boolean lmq;
    private String ordinary;
    private String special;
    private String delayed;
    private String timed;
    private String halves;
    private String retried;
    private String group;
    private String retryGroup;
    private String deadGroup;
    private TransactionMQProducer transactions;
    private int consumed;
    /** Transactions that were committed or rolled back at once. */
    private int ended;

    private Takeover(List<String> legs, String order, boolean lmq) {
        this.legs = legs;
        this.order = order;
        this.lmq = lmq;
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i < args.length; i++) {
            options.put(args[i], args[i].equals("-lmq") ? "yes" : args[++i]);
        }
        Env.namesrv = options.get("-namesrv");
        Env.broker = options.get("-broker");
        Takeover takeover = new Takeover(Arrays.asList(options.get("-legs").split(",")), options.get("-order"), options.containsKey("-lmq"));
        Env.start();
        boolean passed = takeover.run();
        System.out.flush();
        Runtime.getRuntime().halt(passed ? 0 : 1);
    }

    private interface Step {
        String run() throws Exception;
    }

    /** Goes through the legs; the first failure ends it, since the rest would only repeat it. */
    private boolean run() {
        boolean passed = step("prepare", () -> {
            prepare();
            return "";
        });
        for (int leg = 0; passed && leg < legs.size(); leg++) {
            int number = leg;
            String name = leg + "-" + legs.get(leg);
            if (leg > 0) {
                passed = step(name + "-takes-over", () -> {
                    control(order);
                    control("target " + legs.get(number));
                    control("start-broker");
                    return "";
                });
                passed = passed && step(name + "-drained", () -> drain(number)) && step(name + "-keys", this::look)
                    && step(name + "-group", () -> consume(number));
            }
            passed = passed && step(name + "-fill", () -> fill(number));
            if (leg == legs.lastIndexOf("reference") || leg + 1 == legs.size()) {
                passed = passed && step(name + "-settled", this::settle) && step(name + "-drained-again", () -> drain(number));
            }
            closeOwned();
        }
        return passed;
    }

    private static boolean step(String name, Step step) {
        long start = System.nanoTime();
        try {
            String counts = step.run();
            say("PASS " + name + " " + (System.nanoTime() - start) / 1_000_000 + "ms " + counts);
            return true;
        } catch (Throwable e) {
            e.printStackTrace();
            say("FAIL " + name + " " + e.toString().replace('\n', ' '));
            return false;
        }
    }

    private void prepare() throws Exception {
        ordinary = topic(QUEUES);
        special = topic(1);
        delayed = topic(1);
        timed = topic(1);
        halves = topic(1);
        retried = topic(1);
        group = group();
        retryGroup = retryGroup();
        deadGroup = group("retryMaxTimes", 0);
        transactions = new TransactionMQProducer(name("TP"));
        transactions.setNamesrvAddr(namesrv);
        transactions.setInstanceName(name("i"));
        transactions.setSendMsgTimeout(PATIENCE_MS);
        transactions.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object verdict) {
                return (LocalTransactionState) verdict;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return verdicts.getOrDefault(text(message), LocalTransactionState.UNKNOW);
            }
        });
        transactions.start();
    }

    // ---- sending

    private String fill(int leg) throws Exception {
        int before = total();
        for (int number = 0; number < EACH; number++) {
            for (int queue = 0; queue < QUEUES; queue++) {
                String name = leg + "-" + queue + "-" + number;
                Message message = new Message(ordinary, "Tag" + number % 3, "key" + name + " leg" + leg, bytes("body " + name));
                send(message, leg, new MessageQueue(ordinary, "broker-a", queue));
            }
        }
        MessageQueue only = new MessageQueue(special, "broker-a", 0);
        send(new Message(special, "标签", "ключ" + leg, bytes("grüße " + leg)), leg, only);
        send(new Message(special, null, "compressed" + leg, bytes("compress me ".repeat(2000) + leg)), leg, only);
        send(new Message(special, null, "long" + leg, bytes(noise(200_000, leg))), leg, only);
        send(new Message(special, null, "empty" + leg, bytes(" ")), leg, only);
        batch(leg, only);
        transactions(leg);
        if (lmq) {
            fanOut(leg);
        }
        if (leg == 0) {
            retries();
        }
        delays(leg);
        timers(leg);
        return "sent " + (total() - before);
    }

    private int total() {
        return sent.values().stream().mapToInt(List::size).sum();
    }

    private void send(Message message, int leg, MessageQueue queue) throws Exception {
        message.putUserProperty("leg", "leg " + leg);
        // The clients of the leg before may still hold connections that are gone.
        SendResult[] result = new SendResult[1];
        eventually(80, "sent to " + queue, () -> (result[0] = producer().send(message, queue, PATIENCE_MS)).getSendStatus() == SendStatus.SEND_OK);
        note(queue, new Sent(message, result[0]), result[0].getQueueOffset());
    }

    private void note(MessageQueue queue, Sent one, long offset) {
        List<Sent> all = sent.computeIfAbsent(queue, unused -> new ArrayList<>());
        same((long) all.size(), offset, "offset in " + queue);
        all.add(one);
    }

    private void batch(int leg, MessageQueue queue) throws Exception {
        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Message message = new Message(special, "B", "batch" + leg + "-" + i, bytes("batched " + leg + " " + i));
            message.putUserProperty("leg", "leg " + leg);
            batch.add(message);
        }
        SendResult result = producer().send(batch, queue, PATIENCE_MS);
        String[] keys = result.getMsgId().split(",");
        for (int i = 0; i < batch.size(); i++) {
            note(queue, new Sent(batch.get(i), with(result, keys[i])), result.getQueueOffset() + i);
        }
    }

    private static SendResult with(SendResult result, String uniqueKey) {
        return new SendResult(result.getSendStatus(), uniqueKey, result.getOffsetMsgId(), result.getMessageQueue(), result.getQueueOffset());
    }

    /** One second: delivered on this leg or the next. Thirty: mostly pending when the store changes hands. Two hours: for ever. */
    private void delays(int leg) throws Exception {
        for (int level : leg < 2 ? new int[] {1, 4, 18} : new int[] {1, 18}) {
            Message message = new Message(delayed, bytes("level " + level + " of " + leg));
            message.setDelayTimeLevel(level);
            same(SendStatus.SEND_OK, producer().send(message, PATIENCE_MS).getSendStatus(), "delayed");
            if (level == 18) {
                waiting.merge(new MessageQueue("SCHEDULE_TOPIC_XXXX", "broker-a", level - 1), 1, Integer::sum);
            } else {
                owe(delayed, text(message));
            }
        }
    }

    private void owe(String topic, String body) {
        owed.computeIfAbsent(topic, unused -> new ArrayList<>()).add(body);
    }

    private void timers(int leg) throws Exception {
        for (long delay : new long[] {3000, HOUR}) {
            Message message = new Message(timed, bytes("timer " + delay + " of " + leg));
            MessageAccessor.putProperty(message, "TIMER_DELAY_MS", Long.toString(delay));
            same(SendStatus.SEND_OK, producer().send(message, PATIENCE_MS).getSendStatus(), "timed");
            waiting.merge(new MessageQueue("rmq_sys_wheel_timer", "broker-a", 0), 1, Integer::sum);
            if (delay < HOUR) {
                owe(timed, text(message));
            }
        }
    }

    private void transactions(int leg) throws Exception {
        for (LocalTransactionState verdict : LocalTransactionState.values()) {
            for (int i = 0; i < 3; i++) {
                Message message = new Message(halves, bytes(verdict + " " + i + " of " + leg));
                if (verdict != LocalTransactionState.UNKNOW) {
                    // Asked again after a kill: the broker notes seconds later what it was told.
                    verdicts.put(text(message), verdict);
                }
                same(SendStatus.SEND_OK, transactions.sendMessageInTransaction(message, verdict).getSendStatus(), "half");
                if (verdict == LocalTransactionState.ROLLBACK_MESSAGE) {
                    rolledBack.add(text(message));
                } else {
                    owe(halves, text(message));
                }
                if (verdict != LocalTransactionState.UNKNOW) {
                    ended++;
                }
            }
        }
        // The broker gathers what has ended in memory, even over a clean stop.
        MessageQueue notes = new MessageQueue("RMQ_SYS_TRANS_OP_HALF_TOPIC", "broker-a", 0);
        eventually(80, "the broker notes the ends", () -> {
            Map<String, Long> bodies = new TreeMap<>();
            collect(notes, bodies);
            return bodies.keySet().stream().flatMap(body -> Arrays.stream(body.split(","))).distinct().count() >= ended;
        });
    }

    private void fanOut(int leg) throws Exception {
        Message message = new Message(special, null, "fan" + leg, bytes("fanned out " + leg));
        MessageAccessor.putProperty(message, "INNER_MULTI_DISPATCH", "%LMQ%one,%LMQ%two");
        send(message, leg, new MessageQueue(special, "broker-a", 0));
        for (String name : new String[] {"%LMQ%one", "%LMQ%two"}) {
            light.merge(new MessageQueue(name, "broker-a", 0), 1, Integer::sum);
        }
    }

    /** One message that is given up at once, and one that comes back after ten seconds, on whichever broker then runs. */
    private void retries() throws Exception {
        producer().send(new Message(retried, bytes("try again")));
        List<MessageExt> given = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer never = pushConsumer(deadGroup);
        never.setMaxReconsumeTimes(0);
        Env.consume(never, retried, "*", message -> {
            given.add(message);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        eventually(80, "consumed in vain", () -> !given.isEmpty());
        MessageQueue dead = new MessageQueue("%DLQ%" + deadGroup, "broker-a", 0);
        eventually(80, "a dead letter", () -> count(dead) == 1);
        never.shutdown();
        List<MessageExt> tries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer again = pushConsumer(retryGroup);
        Env.consume(again, retried, "*", message -> {
            tries.add(message);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        eventually(80, "consumed to be tried again", () -> !tries.isEmpty());
        // A consumer that ends commits what it consumed; the broker writes that down within half a second.
        again.shutdown();
        awaitCommitted(retryGroup, retried, 1);
        Thread.sleep(1000);
        owe("%RETRY%" + retryGroup, "try again");
        owe("%DLQ%" + deadGroup, "try again");
    }

    // ---- reading

    /** Everything whose place is known is there, at its place, and nothing else. */
    private String drain(int leg) throws Exception {
        int count = 0;
        for (Map.Entry<MessageQueue, List<Sent>> queue : sent.entrySet()) {
            List<Sent> expected = queue.getValue();
            List<MessageExt> found = read(queue.getKey(), "*", expected.size());
            same(expected.size(), found.size(), "messages in " + queue.getKey());
            for (int i = 0; i < found.size(); i++) {
                MessageExt message = found.get(i);
                Sent one = expected.get(i);
                String where = queue.getKey() + " at " + i;
                same((long) i, message.getQueueOffset(), "offset of " + where);
                check(one.body.equals(text(message)), "body of " + where);
                same(one.tags, message.getTags(), "tags of " + where);
                same(one.keys, message.getKeys(), "keys of " + where);
                same(one.uniqueKey, message.getMsgId(), "unique key of " + where);
                same(one.property, message.getUserProperty("leg"), "property of " + where);
            }
            count += found.size();
        }
        for (int tag = 0; tag < 3; tag++) {
            MessageQueue queue = new MessageQueue(ordinary, "broker-a", 1);
            String wanted = "Tag" + tag;
            long expected = sent.get(queue).stream().filter(one -> wanted.equals(one.tags)).count();
            same(expected, (long) read(queue, wanted).size(), "messages of " + wanted);
        }
        for (Map.Entry<MessageQueue, Integer> queue : waiting.entrySet()) {
            eventually(80, queue.getValue() + " messages wait in " + queue.getKey() + ", there are " + count(queue.getKey()),
                () -> count(queue.getKey()) >= queue.getValue());
        }
        for (Map.Entry<MessageQueue, Integer> queue : light.entrySet()) {
            same((long) queue.getValue(), (long) count(queue.getKey()), "messages in " + queue.getKey());
        }
        return "read " + count;
    }

    private static int count(MessageQueue queue) throws Exception {
        int count = 0;
        long offset = 0;
        while (true) {
            PullResult result = reader().pull(queue, "*", offset, 32, PATIENCE_MS);
            if (result.getPullStatus() == PullStatus.FOUND) {
                count += result.getMsgFoundList().size();
            }
            if (result.getPullStatus() == PullStatus.NO_NEW_MSG || result.getNextBeginOffset() == offset) {
                return count;
            }
            offset = result.getNextBeginOffset();
        }
    }

    /** Messages are found by key, by unique key and by their place. */
    private String look() throws Exception {
        int count = 0;
        for (Map.Entry<MessageQueue, List<Sent>> queue : sent.entrySet()) {
            List<Sent> all = queue.getValue();
            for (int i = 0; i < all.size(); i += i < all.size() - 12 ? 10 : 1) {
                Sent one = all.get(i);
                long offset = i;
                String key = one.keys.split(" ")[0];
                MessageExt[] found = new MessageExt[1];
                eventually(80, key + " is found", () -> {
                    QueryResult result = producer().queryMessage(queue.getKey().getTopic(), key, 32, 0, Long.MAX_VALUE);
                    found[0] = result.getMessageList().stream().filter(message -> message.getQueueOffset() == offset).findFirst().orElse(null);
                    return found[0] != null;
                });
                check(one.body.equals(text(found[0])), "body of " + key);
                check(one.body.equals(text(producer().viewMessage(queue.getKey().getTopic(), one.uniqueKey))), "by unique key " + key);
                check(one.body.equals(text(producer().viewMessage(queue.getKey().getTopic(), offsetId(found[0])))), "by place " + key);
                count++;
            }
        }
        return "looked up " + count;
    }

    /** A group goes on where it was. */
    private String consume(int leg) throws Exception {
        int expected = EACH * QUEUES * leg - consumed;
        List<MessageExt> received = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        consumer.setConsumeMessageBatchMaxSize(1);
        Env.consume(consumer, ordinary, "*", message -> {
            received.add(message);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        eventually(80, "the group gets " + expected + " messages", () -> received.stream().map(Env::text).distinct().count() >= expected);
        consumer.shutdown();
        awaitCommitted(group, ordinary, EACH * QUEUES * leg);
        List<String> bodies = received.stream().map(Env::text).collect(Collectors.toList());
        same((long) bodies.size(), bodies.stream().distinct().count(), "messages without repetition");
        same(expected, bodies.size(), "messages of the group");
        for (String body : bodies) {
            check(body.startsWith("body " + (leg - 1) + "-"), body + " was consumed on an earlier leg");
        }
        consumed += bodies.size();
        return "consumed " + bodies.size();
    }

    /** All that a broker owes is there in the end, each once after clean stops. */
    private String settle() throws Exception {
        owed.get(halves).forEach(body -> verdicts.put(body, LocalTransactionState.COMMIT_MESSAGE));
        Map<String, Map<String, Long>> found = new TreeMap<>();
        eventually(160, "all is delivered that was owed: " + owed + ", found " + found, () -> {
            boolean isAll = true;
            for (Map.Entry<String, List<String>> topic : owed.entrySet()) {
                Map<String, Long> bodies = new TreeMap<>();
                collect(new MessageQueue(topic.getKey(), "broker-a", 0), bodies);
                found.put(topic.getKey(), bodies);
                isAll &= bodies.keySet().containsAll(topic.getValue());
            }
            return isAll;
        });
        int count = 0;
        for (Map.Entry<String, List<String>> topic : owed.entrySet()) {
            Map<String, Long> bodies = found.get(topic.getKey());
            for (String body : topic.getValue()) {
                long times = bodies.get(body);
                check(order.equals("kill-broker") ? times >= 1 : times == 1, body + " was delivered " + times + " times");
                count++;
            }
        }
        for (String body : rolledBack) {
            check(!found.get(halves).containsKey(body), body + " was delivered");
        }
        return "delivered " + count;
    }

    private static void collect(MessageQueue queue, Map<String, Long> bodies) throws Exception {
        long offset = 0;
        while (true) {
            PullResult result = reader().pull(queue, "*", offset, 32, PATIENCE_MS);
            if (result.getPullStatus() == PullStatus.FOUND) {
                result.getMsgFoundList().forEach(message -> bodies.merge(text(message), 1L, Long::sum));
            }
            if (result.getPullStatus() == PullStatus.NO_NEW_MSG || result.getNextBeginOffset() == offset) {
                return;
            }
            offset = result.getNextBeginOffset();
        }
    }

    /** Text that no compression makes shorter. */
    private static String noise(int length, long seed) {
        Random random = new Random(seed);
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (' ' + random.nextInt(94));
        }
        return new String(bytes, StandardCharsets.US_ASCII);
    }
}
