package compat;

import static compat.Env.*;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Filters by SQL92. The harness starts brokers with enablePropertyFilter=true. */
final class FilterCases {
    private static final String GROUP = "TOOLS_CONSUMER";
    private static final int SUSPEND = 2;
    private static final int SUBSCRIPTION = 4;

    private FilterCases() { }

    static void register(Suite suite) {
        suite.add("F03", FilterCases::numbersAndStrings);
        suite.add("F04", FilterCases::missingAndUnreadable);
        suite.add("F05", EnumSet.of(Suite.Mark.ALONE), FilterCases::switchedOff);
        suite.raw("F06", FilterCases::badExpressions);
        suite.raw("F09", FilterCases::everyOperator);
        suite.raw("F10", FilterCases::heldUntilWanted);
        suite.add("F11", FilterCases::litePull);
        suite.add("F12", EnumSet.of(Suite.Mark.ALONE), FilterCases::filtersOutliveTheBroker);
        suite.raw("F13", FilterCases::manyUnwanted);
    }

    /** Sends a message whose body is its number, with these properties: name, value, name, value. */
    private static void send(String topic, int number, String... properties) throws Exception {
        Message message = new Message(topic, bytes("m" + number));
        for (int i = 0; i < properties.length; i += 2) {
            message.putUserProperty(properties[i], properties[i + 1]);
        }
        producer().send(message);
    }

    private static Set<String> bodies(List<MessageExt> messages) {
        return messages.stream().map(Env::text).collect(Collectors.toCollection(TreeSet::new));
    }

    private static List<MessageExt> consumeBySql(DefaultMQPushConsumer consumer, String topic, String expression) throws Exception {
        List<MessageExt> received = new CopyOnWriteArrayList<>();
        consumer.subscribe(topic, MessageSelector.bySql(expression));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            received.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return received;
    }

    private static Map<String, Object> pull(String topic, String expression, long offset) {
        return with(pullFields(GROUP, topic, 0, offset), "subscription", expression, "expressionType", "SQL92");
    }

    private static Raw.Frame check(Raw raw, String type, String expression) throws Exception {
        Map<String, Object> subscription = subscription(name("T"), type, expression, 1);
        return raw.call(46, Map.of(), bytes(Json.write(fields("clientId", "c", "group", GROUP, "namespace", "", "subscriptionData", subscription))));
    }

    private static Map<String, Object> subscription(String topic, String type, String expression, long version) {
        return fields("classFilterMode", false, "codeSet", List.of(), "expressionType", type, "subString", expression,
            "subVersion", version, "tagsSet", List.of(), "topic", topic);
    }

    private static byte[] beat(String group, Map<String, Object> subscription) {
        Map<String, Object> consumer = fields("consumeFromWhere", "CONSUME_FROM_FIRST_OFFSET", "consumeType", "CONSUME_PASSIVELY",
            "groupName", group, "messageModel", "CLUSTERING", "subscriptionDataSet", List.of(subscription), "unitMode", false);
        return bytes(Json.write(fields("clientID", "filter", "consumerDataSet", List.of(consumer), "heartbeatFingerprint", 0,
            "producerDataSet", List.of(), "withoutSub", false)));
    }

    private static void numbersAndStrings() throws Exception {
        String topic = topic(2);
        List<MessageExt> received = consumeBySql(pushConsumer(group()), topic, "a > 5 AND b = 'x'");
        String[][] pairs = {{"6", "x"}, {"5", "x"}, {"6", "y"}, {"60", "x"}, {"-6", "x"}, {"6.5", "x"}, {"6", "X"}, {"+7", "x"}, {"2147483647", "x"}, {"2147483648", "x"}};
        for (int i = 0; i < pairs.length; i++) {
            send(topic, i, "a", pairs[i][0], "b", pairs[i][1]);
        }
        send(topic, 90, "a", "7");
        send(topic, 91, "b", "x");
        eventually(80, "four messages", () -> bodies(received).size() >= 4);
        Thread.sleep(500);
        // What is no whole number of 32 bits is none to a constant that is one.
        same(Set.of("m0", "m3", "m7", "m8"), bodies(received), "messages");
    }

    private static void missingAndUnreadable() throws Exception {
        String topic = topic(1);
        List<MessageExt> lacking = consumeBySql(pushConsumer(group()), topic, "c IS NULL");
        List<MessageExt> large = consumeBySql(pushConsumer(group()), topic, "a > 5 OR b = 'x'");
        send(topic, 0, "c", "1", "a", "six", "b", "x");
        send(topic, 1, "a", "six", "b", "x");
        send(topic, 2, "b", "x");
        send(topic, 3, "c", "1", "a", "6");
        send(topic, 4, "a", "6");
        eventually(80, "three messages each", () -> bodies(lacking).size() >= 3 && bodies(large).size() >= 3);
        Thread.sleep(500);
        same(Set.of("m1", "m2", "m4"), bodies(lacking), "without c");
        // What cannot be compared is no match, even where the other side of the OR is one.
        same(Set.of("m2", "m3", "m4"), bodies(large), "a > 5 OR b = 'x'");
    }

    private static void switchedOff() throws Exception {
        String topic = topic(1);
        control("set-broker enablePropertyFilter=false");
        control("restart-broker");
        try {
            DefaultMQPushConsumer consumer = pushConsumer(group());
            try {
                consumeBySql(consumer, topic, "a > 5");
                throw new AssertionError("the consumer started");
            } catch (MQClientException e) {
                Env.check(e.toString().contains("does not support consumer to filter message by SQL92"), "says why: " + e);
            }
            try (Raw raw = new Raw(broker)) {
                code(1, check(raw, "SQL92", "a > 5"), "check");
                code(0, check(raw, "TAG", "a"), "check of tags");
                code(1, raw.call(Codes.PULL_MESSAGE, pull(topic, "a > 5", 0)), "pull");
            }
        } finally {
            control("set-broker enablePropertyFilter=true");
            control("restart-broker");
        }
    }

    private static void badExpressions() throws Exception {
        String topic = topic(1);
        Raw raw = raw();
        String[] bad = {"a >", "a > 'x'", "a = NULL", "a > TRUE", "NOT a > 5", "a IN (5)", "a IN ()", "5 IN ('x')", "a != 5",
            "a BETWEEN 10 AND 1", "a BETWEEN 'x' AND 'y'", "a BETWEEN 1", "a > 0.0", "a = 9223372036854775808", "a = 'x", "(a = 1",
            "TRUE = 5", "5", "'x'", "-a", "a CONTAINS 5", "a IS 5", "a NOT 5", "a = 1 AND", "", "a = 1 #", "\u00e4 = 1", "a = /* 1"};
        for (String expression : bad) {
            Raw.Frame refused = code(23, check(raw, "SQL92", expression), expression);
            Env.check(refused.remark() != null && !refused.remark().isEmpty(), "says what is wrong with " + expression);
        }
        String[] good = {"a > 5", "a", "a LIKE 5", "TRUE", "NOT a", "a > 5 b", "a = 007", "a = 1 -- c", "a BETWEEN b AND 1", "a NOT BETWEEN 10 AND 1",
            "a BETWEEN -1 AND -10", "5 = TRUE", "a CONTAINS ''", "a is not null AND b in ('x')", "- - a = 5", "a = 'it''s'", "$_1 = .5"};
        for (String expression : good) {
            code(0, check(raw, "SQL92", expression), expression);
        }
        code(23, check(raw, "LUA", "a"), "another language");
        code(23, raw.call(Codes.PULL_MESSAGE, pull(topic, "", 0)), "pull without an expression");
        String group = group();
        Map<String, Object> own = with(pull(topic, "", 0), "consumerGroup", group, "sysFlag", 0, "subVersion", 100);
        code(0, raw.call(Codes.HEART_BEAT, Map.of(), beat(group, subscription(topic, "SQL92", "a >", 100))), "heartbeat");
        code(27, raw.call(Codes.PULL_MESSAGE, own), "pull of a group with a bad expression");
        code(0, raw.call(Codes.HEART_BEAT, Map.of(), beat(group, subscription(topic, "SQL92", "a > 5", 101))), "heartbeat");
        code(19, raw.call(Codes.PULL_MESSAGE, own), "pull with a good one");
        code(25, raw.call(Codes.PULL_MESSAGE, with(own, "subVersion", 102)), "pull of a newer subscription");
    }

    private static void everyOperator() throws Exception {
        String topic = topic(1);
        String[][] messages = {
            {"a", "5", "b", "x", "c", "true"},
            {"a", "6", "b", "xyz"},
            {"a", "-5", "b", "it's", "c", "TRUE"},
            {"a", "5.5", "b", "", "c", "no"},
            {"a", "ten", "b", "\u00e4\u00f6"},
            {"b", "yx", "d", "5"},
            {"a", "3000000000", "b", "x"},
        };
        for (int i = 0; i < messages.length; i++) {
            List<String> properties = new ArrayList<>();
            for (int j = 0; j < messages[i].length; j += 2) {
                // The client refuses empty values.
                if (!messages[i][j + 1].isEmpty()) {
                    properties.add(messages[i][j]);
                    properties.add(messages[i][j + 1]);
                }
            }
            send(topic, i, properties.toArray(new String[0]));
        }
        read(queues(topic).get(0), "*", messages.length);
        String[][] table = {
            {"a = 5", "0"}, {"a = '5'", "0"}, {"a = 5.0", "0"}, {"a <> 5", "12"}, {"5 = a", "0"}, {"a = -5", "2"}, {"-a = 5", ""},
            {"a > 5", "1"}, {"a >= 5", "01"}, {"a < 5", "2"}, {"a <= 5", "02"}, {"a > 5.0", "136"}, {"a > 2147483648", "6"}, {"a < 3000000001", "0126"},
            {"a BETWEEN 5 AND 6", "01"}, {"a BETWEEN 5.0 AND 6", "01"}, {"a NOT BETWEEN 5 AND 6", "2"}, {"a BETWEEN -10 AND 5", "02"}, {"a BETWEEN d AND 9", ""},
            {"b IN ('x', 'yx')", "056"}, {"b NOT IN ('x', 'yx')", "124"}, {"NOT (b IN ('x'))", "1245"}, {"a IN ('5', '6')", "01"}, {"b IN ('it''s')", "2"},
            {"c IS NULL", "1456"}, {"c IS NOT NULL", "023"}, {"NOT (c IS NULL)", "023"}, {"NULL IS NULL", "0123456"}, {"c = c", "0123456"}, {"c = d", "146"},
            {"b CONTAINS 'x'", "0156"}, {"b NOT CONTAINS 'x'", "24"}, {"NOT (b CONTAINS 'x')", "234"}, {"b CONTAINS ''", ""}, {"b NOT CONTAINS ''", ""},
            {"b STARTSWITH 'x'", "016"}, {"b NOT STARTSWITH 'x'", "245"}, {"b ENDSWITH 'x'", "056"}, {"b NOT ENDSWITH 'x'", "124"}, {"b CONTAINS '\u00f6'", "4"},
            {"c = TRUE", "02"}, {"c <> TRUE", "3"}, {"c = FALSE", "3"}, {"TRUE = c", ""}, {"c", ""}, {"NOT c", "023"}, {"NOT c = TRUE", "023"},
            {"a = 5 OR b = 'xyz'", "01"}, {"b = 'xyz' OR a = 5", "01"}, {"a = 5 AND b = 'x'", "0"}, {"b = 'x' AND a = 5", "0"}, {"c IS NULL OR a = 5", "01456"},
            {"a = 5 AND c = TRUE OR b = 'yx'", "05"}, {"b = 'yx' OR a = 5 AND c = TRUE", "05"}, {"(b = 'yx' OR a = 5) AND d IS NULL", "0"},
            {"TRUE", "0123456"}, {"FALSE", ""}, {"NULL", ""}, {"NOT NULL", ""}, {"TRUE OR a > 1", "0123456"}, {"a > 1 OR TRUE", "0125"},
            {"d > a", ""}, {"a >= d", ""}, {"d = 5 trailing", "5"}, {"d=5/* c */AND--c\nb='yx'", "5"}, {"D = 5", ""}, {"d = 5 aNd b Is Not nUll", "5"},
        };
        Raw raw = raw();
        for (String[] row : table) {
            Raw.Frame answer = raw.call(Codes.PULL_MESSAGE, pull(topic, row[0], 0));
            code(row[1].isEmpty() ? 20 : 0, answer, row[0]);
            String got = row[1].isEmpty() ? "" : records(answer).stream().map(record -> text(record).substring(1)).collect(Collectors.joining());
            same(row[1], got, row[0]);
            same((long) messages.length, answer.number("nextBeginOffset"), "next offset of " + row[0]);
        }
    }

    private static void heldUntilWanted() throws Exception {
        String topic = topic(1);
        Map<String, Object> held = with(pull(topic, "a > 5", 0), "sysFlag", SUSPEND | SUBSCRIPTION);
        Raw raw = raw();
        CompletableFuture<Raw.Frame> hold = raw.send(Codes.PULL_MESSAGE, held, null);
        send(topic, 0, "a", "1");
        // The sweep every five seconds may send the client on, past the message that does not match.
        if (Raw.answered(hold, 1500)) {
            same(1L, code(20, hold.get(), "sent on").number("nextBeginOffset"), "next offset");
            hold = raw.send(Codes.PULL_MESSAGE, with(held, "queueOffset", 1), null);
        }
        // As with tags: five in a row, because the sweep may answer one by chance, and a machine that stands still spoils a round.
        int inARow = 0;
        for (int number = 1; inARow < 5; number++) {
            Env.check(number < 40, "arrivals do not end holds at once");
            long sent = System.nanoTime();
            send(topic, number, "a", "6");
            Raw.Frame answer = hold.get(Env.PATIENCE_MS, TimeUnit.MILLISECONDS);
            if (answer.code() == 20) {
                // Sent on just now, past the one that does not match.
                same(1L, answer.number("nextBeginOffset"), "next offset");
                inARow = 0;
            } else {
                code(0, answer, "held pull");
                same(List.of("m" + number), records(answer).stream().map(Env::text).collect(Collectors.toList()), "bodies");
                same(number + 1L, answer.number("nextBeginOffset"), "next offset");
                inARow = answer.nanos() - sent < 1_000_000_000L ? inARow + 1 : 0;
            }
            hold = raw.send(Codes.PULL_MESSAGE, with(held, "queueOffset", number + 1), null);
        }
    }

    private static void litePull() throws Exception {
        String topic = topic(2);
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group());
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(name("lite"));
        consumer.setMqClientApiTimeout(PATIENCE_MS);
        own(consumer::shutdown);
        consumer.subscribe(topic, MessageSelector.bySql("a BETWEEN 3 AND 5 OR b STARTSWITH 'y'"));
        consumer.start();
        List<MessageExt> received = new ArrayList<>();
        // A new group starts at the newest message.
        eventually(80, "queues assigned", () -> {
            received.addAll(consumer.poll(100));
            return consumer.assignment().size() == 2;
        });
        eventually(80, "one round of all", () -> {
            for (int i = 0; i < 10; i++) {
                send(topic, i, "a", Integer.toString(i), "b", i == 9 ? "yes" : "no");
            }
            received.addAll(consumer.poll(500));
            return bodies(received).size() >= 4;
        });
        same(Set.of("m3", "m4", "m5", "m9"), bodies(received), "messages");
    }

    private static void filtersOutliveTheBroker() throws Exception {
        String topic = topic(1);
        List<MessageExt> received = consumeBySql(pushConsumer(group()), topic, "a > 5");
        send(topic, 1, "a", "1");
        send(topic, 6, "a", "6");
        eventually(80, "before", () -> bodies(received).equals(Set.of("m6")));
        control("restart-broker");
        eventually(80, "after", () -> {
            send(topic, 2, "a", "2");
            send(topic, 7, "a", "7");
            return bodies(received).contains("m7");
        });
        same(Set.of("m6", "m7"), bodies(received), "messages");
    }

    private static void manyUnwanted() throws Exception {
        String topic = topic(1);
        for (int i = 0; i < 10; i++) {
            List<Message> batch = new ArrayList<>();
            for (int j = 0; j < 100; j++) {
                Message message = new Message(topic, bytes("d"));
                message.putUserProperty("a", "1");
                batch.add(message);
            }
            producer().send(batch, queues(topic).get(0));
        }
        send(topic, 0, "a", "6");
        eventually(80, "indexed", () -> raw().call(Codes.GET_MAX_OFFSET, fields("topic", topic, "queueId", 0)).number("offset") == 1001);
        long offset = 0;
        for (int pulls = 0; pulls < 20; pulls++) {
            Raw.Frame answer = raw().call(Codes.PULL_MESSAGE, pull(topic, "a > 5", offset));
            long next = answer.number("nextBeginOffset");
            if (answer.code() == 0) {
                same(List.of("m0"), records(answer).stream().map(Env::text).collect(Collectors.toList()), "bodies");
                same(1001L, next, "next offset");
                return;
            }
            code(20, answer, "nothing in this stretch");
            Env.check(next > offset, "stands still at " + offset);
            offset = next;
        }
        throw new AssertionError("not found in 20 pulls");
    }
}
