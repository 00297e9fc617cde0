package compat;

import static compat.Env.*;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Transactions. The harness sets transactionCheckInterval=2000, transactionTimeOut=3000 and transactionOpBatchInterval=200; the rest
 * is as upstream has it.
 */
final class TransactionCases {
    private static final LocalTransactionState COMMIT = LocalTransactionState.COMMIT_MESSAGE;
    private static final LocalTransactionState ROLL_BACK = LocalTransactionState.ROLLBACK_MESSAGE;
    private static final LocalTransactionState UNKNOWN = LocalTransactionState.UNKNOW;
    private static final String HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC";
    private static final String GIVEN_UP_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC";
    private static final int END_TRANSACTION = 37;
    private static final int GET_PRODUCER_CONNECTION_LIST = 204;
    private static final int UPDATE_BROKER_CONFIG = 25;
    private static final int RESUME_CHECK_HALF_MESSAGE = 323;

    private TransactionCases() { }

    static void register(Suite suite) {
        suite.add("X01", TransactionCases::committedOnceRolledBackNever);
        suite.add("X02", TransactionCases::unknownIsSettledByTheQuestion);
        suite.add("X03", TransactionCases::neverKnownIsPutAside);
        suite.add("X04", TransactionCases::leftInPeace);
        suite.add("X05", TransactionCases::anotherProcessSettles);
        suite.raw("X06", TransactionCases::endsThatDoNotFit);
        suite.add("X07", EnumSet.of(Suite.Mark.ALONE), TransactionCases::openAcrossARestart);
        suite.add("X08", EnumSet.of(Suite.Mark.ALONE), TransactionCases::forbidden);
        suite.raw("X09", TransactionCases::committedTwice);
        suite.raw("X10", TransactionCases::delayedHalf);
        suite.add("X11", TransactionCases::manyMixed);
    }

    /** A producer whose messages' bodies say what it decides: the word before the colon at once, the word after it when asked. */
    static final class Decider implements TransactionListener {
        private final Map<String, List<Long>> questions = new ConcurrentHashMap<>();

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            return verdict(text(message).split(":")[0]);
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            questions.computeIfAbsent(text(message), body -> new CopyOnWriteArrayList<>()).add(System.nanoTime());
            return verdict(text(message).split(":")[1]);
        }

        List<Long> questions(String body) {
            return questions.getOrDefault(body, List.of());
        }

        private static LocalTransactionState verdict(String word) {
            return word.equals("commit") ? COMMIT : word.equals("rollback") ? ROLL_BACK : UNKNOWN;
        }
    }

    static TransactionMQProducer producer(String group, TransactionListener listener) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(group);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(name("i"));
        producer.setSendMsgTimeout(30_000);
        producer.setMqClientApiTimeout(PATIENCE_MS);
        producer.setHeartbeatBrokerInterval(1000);
        producer.setTransactionListener(listener);
        producer.start();
        return producer;
    }

    private static TransactionMQProducer owned(String group, TransactionListener listener) throws Exception {
        TransactionMQProducer producer = producer(group, listener);
        own(producer::shutdown);
        return producer;
    }

    static TransactionSendResult send(TransactionMQProducer producer, String topic, String body) throws Exception {
        TransactionSendResult result = producer.sendMessageInTransaction(new Message(topic, "tag", "key " + body, bytes(body)), null);
        same(SendStatus.SEND_OK, result.getSendStatus(), "half of " + body);
        return result;
    }

    /** Has the broker know the producer, so that every question reaches it. A producer tells of itself once it has sent to a topic. */
    private static void isKnown(TransactionMQProducer producer, String topic) throws Exception {
        send(producer, topic, "rollback:rollback");
        Map<String, Object> group = fields("producerGroup", producer.getProducerGroup());
        eventually(80, "the broker knows the producer", () -> raw().call(GET_PRODUCER_CONNECTION_LIST, group).code() == 0);
    }

    private static List<String> bodies(List<MessageExt> messages) {
        return messages.stream().map(Env::text).sorted().collect(Collectors.toList());
    }

    private static void committedOnceRolledBackNever() throws Exception {
        String topic = topic(4);
        List<MessageExt> received = consume(pushConsumer(group()), topic, "tag");
        TransactionMQProducer producer = owned(name("TP"), new Decider());
        // So that the prepared message cannot lie at the log's offset 0, which is also what a message without one says.
        Env.producer().send(new Message(topic, "other", bytes("first")));
        TransactionSendResult committed = send(producer, topic, "commit:unknown");
        same(COMMIT, committed.getLocalTransactionState(), "local state");
        send(producer, topic, "rollback:rollback");
        eventually(80, "the committed message", () -> !received.isEmpty());
        MessageExt message = received.get(0);
        same(List.of("commit:unknown"), bodies(received), "messages");
        same(topic, message.getTopic(), "topic");
        same(committed.getMessageQueue().getQueueId(), message.getQueueId(), "queue");
        same(committed.getTransactionId(), message.getTransactionId(), "transaction id");
        same(committed.getMsgId(), message.getMsgId(), "message id");
        same("tag", message.getTags(), "tag");
        check(message.getProperty("REAL_TOPIC") == null, "REAL_TOPIC is left");
        check(message.getPreparedTransactionOffset() > 0, "prepared offset is missing");
        same(8, message.getSysFlag() & 12, "bits of the transaction");
        Thread.sleep(6000);
        same(List.of("commit:unknown"), bodies(received), "messages after the first questions");
    }

    private static void unknownIsSettledByTheQuestion() throws Exception {
        String topic = topic(1);
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        Decider decider = new Decider();
        TransactionMQProducer producer = owned(name("TP"), decider);
        long start = System.nanoTime();
        send(producer, topic, "unknown:commit");
        send(producer, topic, "unknown:rollback");
        eventually(80, "the message committed when asked", () -> !received.isEmpty());
        eventually(80, "both questions", () -> !decider.questions("unknown:rollback").isEmpty());
        between(2.9, 80, (decider.questions("unknown:commit").get(0) - start) / 1e9, "seconds to the first question");
        // A client that takes longer than two seconds over its answer is asked once more; then no more.
        eventually(80, "no more questions", () -> {
            int before = decider.questions("unknown:commit").size() + decider.questions("unknown:rollback").size();
            Thread.sleep(4500);
            return before == decider.questions("unknown:commit").size() + decider.questions("unknown:rollback").size();
        });
        same(List.of("unknown:commit"), bodies(received), "messages");
    }

    private static void neverKnownIsPutAside() throws Exception {
        String topic = topic(1);
        String body = "unknown:unknown " + name("aside");
        Decider decider = new Decider();
        TransactionMQProducer producer = owned(name("TP"), decider);
        isKnown(producer, topic);
        send(producer, topic, body);
        // The topic is made with its first message.
        eventually(180, "put aside", () -> read(GIVEN_UP_TOPIC).stream().anyMatch(message -> text(message).equals(body)));
        MessageExt aside = read(GIVEN_UP_TOPIC).stream().filter(message -> text(message).equals(body)).findFirst().get();
        same("15", aside.getProperty("TRANSACTION_CHECK_TIMES"), "count of questions");
        same(topic, aside.getProperty("REAL_TOPIC"), "REAL_TOPIC");
        eventually(80, "the last question is heard", () -> decider.questions(body).size() == 15);
        Thread.sleep(5000);
        same(15, decider.questions(body).size(), "questions after it was put aside");
        same(List.of(), bodies(read(topic)), "messages of the topic");
        // 323: asked about again, from the first question on.
        code(0, raw().call(RESUME_CHECK_HALF_MESSAGE, fields("msgId", offsetId(aside), "topic", topic)), "resume");
        eventually(80, "asked again", () -> decider.questions(body).size() > 15);
    }

    private static void leftInPeace() throws Exception {
        String topic = topic(1);
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        Decider decider = new Decider();
        TransactionMQProducer producer = owned(name("TP"), decider);
        String body = "unknown:commit";
        Message message = new Message(topic, bytes(body));
        message.putUserProperty("CHECK_IMMUNITY_TIME_IN_SECONDS", "10");
        long start = System.nanoTime();
        producer.sendMessageInTransaction(message, null);
        eventually(80, "committed when asked", () -> !received.isEmpty());
        between(9.9, 80, (decider.questions(body).get(0) - start) / 1e9, "seconds to the first question");
        Thread.sleep(3000);
        same(1, received.size(), "messages");
    }

    /** Prepares messages in another process, which ends at once without a word. */
    public static final class Abandoner {
        public static void main(String[] args) throws Exception {
            Env.namesrv = args[0];
            TransactionMQProducer producer = producer(args[1], new Decider());
            for (int i = 0; i < Integer.parseInt(args[3]); i++) {
                send(producer, args[2], "unknown:unknown " + i);
            }
            System.out.println("SENT");
            System.out.flush();
            Runtime.getRuntime().halt(9);
        }
    }

    private static void anotherProcessSettles() throws Exception {
        String topic = topic(2);
        String group = name("TP");
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        TransactionMQProducer heir = owned(group, new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return COMMIT;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return COMMIT;
            }
        });
        // A producer tells a broker of itself only once it has sent to one of its topics.
        send(heir, topic, "the heir's own");
        Process other = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-XX:TieredStopAtLevel=1",
            "-Duser.home=" + System.getProperty("user.home"), "-Drocketmq.client.logRoot=" + System.getProperty("rocketmq.client.logRoot"),
            "-cp", System.getProperty("java.class.path"), "compat.TransactionCases$Abandoner", namesrv, group, topic, "5")
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        own(other::destroyForcibly);
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(other.getInputStream()))) {
            List<String> said = lines.lines().collect(Collectors.toList());
            check(said.contains("SENT"), "the other process: " + said);
        }
        same(9, other.waitFor(), "status of the other process");
        eventually(80, "all settled by the heir", () -> received.size() >= 6);
        Thread.sleep(3000);
        same(6L, bodies(received).stream().distinct().count(), "different messages");
        same(6, received.size(), "messages");
    }

    // ---- hand-made frames

    private static Raw.Frame half(Raw raw, String topic, String group, String body, String more) throws Exception {
        Map<String, Object> fields = sendFields(topic, 0);
        fields.put("f", 4);
        fields.put("i", "TRAN_MSG\u0001true\u0002PGROUP\u0001" + group + "\u0002UNIQ_KEY\u0001" + name("U") + "\u0002WAIT\u0001true\u0002" + more);
        return code(0, raw.call(Codes.SEND_MESSAGE_V2, fields, bytes(body)), "half");
    }

    private static long physical(Raw.Frame half) {
        return Long.parseUnsignedLong(half.ext().get("msgId").substring(16), 16);
    }

    private static Map<String, Object> end(Raw.Frame half, String group, int decision) {
        return fields("producerGroup", group, "tranStateTableOffset", half.number("queueOffset"), "commitLogOffset", physical(half),
            "commitOrRollback", decision, "fromTransactionCheck", false, "msgId", half.ext().get("transactionId"),
            "transactionId", half.ext().get("transactionId"));
    }

    private static void endsThatDoNotFit() throws Exception {
        String topic = topic(1);
        String group = name("TP");
        Raw raw = raw();
        Raw.Frame half = half(raw, topic, group, "fits", "");
        code(1, raw.call(END_TRANSACTION, end(half, "another", 8)), "another group");
        code(1, raw.call(END_TRANSACTION, with(end(half, group, 8), "tranStateTableOffset", half.number("queueOffset") + 1)), "another number");
        code(1, raw.call(END_TRANSACTION, with(end(half, group, 8), "commitLogOffset", 1L << 60)), "past the log");
        check(!Raw.answered(raw.send(END_TRANSACTION, end(half, group, 0), null), 1000), "an end that knows nothing was answered");
        same(List.of(), bodies(read(topic)), "messages");
        code(0, raw.call(END_TRANSACTION, end(half, group, 8)), "the right end");
        same("fits", text(first(topic)), "message");
    }

    private static void committedTwice() throws Exception {
        String topic = topic(1);
        String group = name("TP");
        Raw raw = raw();
        Raw.Frame half = half(raw, topic, group, "twice", "");
        code(0, raw.call(END_TRANSACTION, end(half, group, 8)), "first commit");
        code(0, raw.call(END_TRANSACTION, end(half, group, 8)), "second commit");
        eventually(5, "two copies", () -> bodies(read(topic)).equals(List.of("twice", "twice")));
    }

    private static void delayedHalf() throws Exception {
        String topic = topic(1);
        String group = name("TP");
        Raw raw = raw();
        Raw.Frame half = half(raw, topic, group, "lost", "DELAY\u00011\u0002");
        raw.send(END_TRANSACTION, end(half, group, 8), null);
        Thread.sleep(5000);
        same(List.of(), bodies(read(topic)), "messages");
    }

    private static void forbidden() throws Exception {
        String topic = topic(1);
        Raw raw = raw();
        Map<String, Object> fields = sendFields(topic, 0);
        fields.put("f", 4);
        fields.put("i", "TRAN_MSG\u0001true\u0002PGROUP\u0001p\u0002");
        code(0, raw.call(UPDATE_BROKER_CONFIG, Map.of(), bytes("rejectTransactionMessage=true\n")), "forbid");
        try {
            code(16, raw.call(Codes.SEND_MESSAGE_V2, fields, bytes("no")), "half");
        } finally {
            code(0, raw.call(UPDATE_BROKER_CONFIG, Map.of(), bytes("rejectTransactionMessage=false\n")), "allow");
        }
    }

    // ---- across time and in numbers

    private static void openAcrossARestart() throws Exception {
        String topic = topic(1);
        TransactionMQProducer producer = owned(name("TP"), new Decider());
        send(producer, topic, "commit:unknown");
        send(producer, topic, "rollback:unknown");
        send(producer, topic, "unknown:commit");
        eventually(80, "the committed one", () -> read(topic).size() == 1);
        control("restart-broker");
        eventually(160, "settled after the restart", () -> bodies(read(topic)).equals(List.of("commit:unknown", "unknown:commit")));
        Thread.sleep(6000);
        same(List.of("commit:unknown", "unknown:commit"), bodies(read(topic)), "messages in the end");
    }

    private static void manyMixed() throws Exception {
        String topic = topic(4);
        Decider decider = new Decider();
        TransactionMQProducer producer = owned(name("TP"), decider);
        String[] kinds = {"commit:unknown", "rollback:rollback", "unknown:commit", "unknown:rollback"};
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            String body = kinds[i % kinds.length] + ":" + i;
            send(producer, topic, body);
            if (body.contains("commit")) {
                expected.add(body);
            }
        }
        expected.sort(null);
        eventually(120, "500 messages", () -> read(topic).size() >= expected.size());
        Thread.sleep(5000);
        Map<String, Integer> counts = new TreeMap<>();
        read(topic).forEach(message -> counts.merge(text(message), 1, Integer::sum));
        same(expected, new ArrayList<>(counts.keySet()), "messages");
        List<String> repeated = counts.entrySet().stream().filter(one -> one.getValue() != 1).map(Map.Entry::getKey).collect(Collectors.toList());
        same(List.of(), repeated, "messages that came more than once");
    }
}
