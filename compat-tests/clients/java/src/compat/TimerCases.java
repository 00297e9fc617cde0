package compat;

import static compat.Env.*;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages with a time of their own, and recalls. The properties are set by name, because clients before 5.0 have no methods for them. */
final class TimerCases {
    private static final String SEC = "TIMER_DELAY_SEC";
    private static final String MS = "TIMER_DELAY_MS";
    private static final String AT = "TIMER_DELIVER_MS";
    private static final int MANY = 1000;

    private TimerCases() { }

    static void register(Suite suite) {
        EnumSet<Suite.Mark> alone = EnumSet.of(Suite.Mark.ALONE);
        suite.add("D04", TimerCases::eachWayOfSayingWhen);
        suite.add("D05", TimerCases::pastTimesAreNow);
        suite.raw("D06", TimerCases::tooFarAhead);
        suite.add("D07", TimerCases::levelBeforeTimer);
        suite.raw("D08", TimerCases::noNumber);
        suite.add("D09", alone, TimerCases::putOffAndRestarted);
        suite.add("D10", alone, TimerCases::recalled);
        suite.raw("D12", TimerCases::handles);
        suite.add("D13", TimerCases::manyOnceEach);
        suite.add("D14", alone, TimerCases::manyOnceEachOverAStop);
    }

    private static Message timed(String topic, String body, String property, long value) {
        Message message = new Message(topic, bytes(body));
        MessageAccessor.putProperty(message, property, Long.toString(value));
        return message;
    }

    private static SendResult send(Message message) throws Exception {
        SendResult result = producer().send(message, PATIENCE_MS);
        same(SendStatus.SEND_OK, result.getSendStatus(), "sent");
        return result;
    }

    /** Milliseconds from the time asked for to the time it was stored for consumers. */
    private static long late(MessageExt message) {
        return message.getStoreTimestamp() - Long.parseLong(message.getUserProperty("due"));
    }

    private static Message due(Message message, long due) {
        message.putUserProperty("due", Long.toString(due));
        return message;
    }

    private static void eachWayOfSayingWhen() throws Exception {
        String topic = topic(4);
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        long now = System.currentTimeMillis();
        send(due(timed(topic, SEC, SEC, 3), now + 3000));
        send(due(timed(topic, MS, MS, 2500), now + 2500));
        send(due(timed(topic, AT, AT, now + 4300), now + 4300));
        // Of several the first counts: seconds, milliseconds, time.
        Message all = due(timed(topic, "all", SEC, 2), now + 2000);
        MessageAccessor.putProperty(all, MS, "100000");
        MessageAccessor.putProperty(all, AT, "1");
        send(all);
        eventually(80, "four deliveries", () -> received.size() == 4);
        for (MessageExt message : received) {
            between(-50, 60_000, late(message), "milliseconds late: " + text(message));
            long out = Long.parseLong(message.getProperty("TIMER_OUT_MS"));
            same(0L, out % 1000, "TIMER_OUT_MS");
            check(Long.parseLong(message.getProperty("TIMER_DEQUEUE_MS")) >= out, "TIMER_DEQUEUE_MS");
            check(message.getProperty("TIMER_ENQUEUE_MS") != null, "TIMER_ENQUEUE_MS");
            same(topic, message.getTopic(), "topic");
        }
        same(4, received.size(), "deliveries");
    }

    private static void pastTimesAreNow() throws Exception {
        String topic = topic(1);
        send(timed(topic, "past", AT, System.currentTimeMillis() - 5000));
        send(timed(topic, "none", SEC, 0));
        send(timed(topic, "negative", MS, -1));
        List<MessageExt> messages = read(queues(topic).get(0), "*", 3);
        same("past none negative", messages.stream().map(Env::text).collect(Collectors.joining(" ")), "stored at once");
        same(null, messages.get(0).getProperty("TIMER_OUT_MS"), "TIMER_OUT_MS");
    }

    private static Raw.Frame send(String topic, String properties) throws Exception {
        return raw().call(Codes.SEND_MESSAGE_V2, with(sendFields(topic, 0), "i", properties), bytes("x"));
    }

    private static String property(String name, Object value) {
        return name + "\u0001" + value + "\u0002";
    }

    private static void tooFarAhead() throws Exception {
        String topic = topic(1);
        long now = System.currentTimeMillis();
        for (String far : List.of(property(SEC, 259_201), property(MS, 259_201_000), property(AT, now + 259_260_000), property(AT, Long.MAX_VALUE))) {
            Raw.Frame answer = code(13, send(topic, far), far);
            check(answer.remark().contains("timer message illegal, the delay time should not be bigger than the max delay 259200000ms"), answer.remark());
        }
        code(0, send(topic, property(SEC, 259_190)), "just within");
        same(0, read(topic).size(), "messages");
    }

    private static void levelBeforeTimer() throws Exception {
        String topic = topic(1);
        Message message = timed(topic, "both", SEC, 60);
        message.setDelayTimeLevel(1);
        send(message);
        MessageExt delivered = first(topic);
        between(950, 50_000, delivered.getStoreTimestamp() - delivered.getBornTimestamp(), "milliseconds");
        same(null, delivered.getProperty("TIMER_OUT_MS"), "TIMER_OUT_MS");
    }

    private static void noNumber() throws Exception {
        String topic = topic(1);
        for (String bad : List.of(property(SEC, "soon"), property(MS, "1.5"), property(AT, "0x10"), property(SEC, "12345678901234567890"))) {
            code(13, send(topic, bad), bad);
        }
        same(0, read(topic).size(), "messages");
    }

    /** With a wheel that reaches 4 seconds ahead. */
    private static void putOffAndRestarted() throws Exception {
        control("set-broker timerRollWindowSlot=4");
        control("restart-broker");
        try {
            String topic = topic(1);
            long due = System.currentTimeMillis() + 14_300;
            eventually(80, "sent", () -> producer().send(due(timed(topic, "far", AT, due), due)).getSendStatus() == SendStatus.SEND_OK);
            Thread.sleep(3000);
            control("restart-broker");
            List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
            eventually(80, "delivered", () -> received.size() == 1);
            between(-50, 60_000, late(received.get(0)), "milliseconds late");
            check(Integer.parseInt(received.get(0).getProperty("TIMER_ROLL_TIMES")) >= 1, "TIMER_ROLL_TIMES");
            Thread.sleep(3000);
            same(1, received.size(), "deliveries");
        } finally {
            control("set-broker timerRollWindowSlot=172800");
            control("restart-broker");
        }
    }

    private static Raw.Frame recall(String topic, String handle) throws Exception {
        try (Raw raw = new Raw(broker)) {
            return raw.call(Codes.RECALL_MESSAGE, fields("topic", topic, "recallHandle", handle, "producerGroup", "p"));
        }
    }

    private static String handle(Object... parts) {
        List<String> texts = new ArrayList<>();
        for (Object part : parts) {
            texts.add(part.toString());
        }
        return Base64.getUrlEncoder().encodeToString(String.join(" ", texts).getBytes(StandardCharsets.UTF_8));
    }

    /** Also D11. */
    private static void recalled() throws Exception {
        String topic = topic(1);
        Raw.Frame stored = code(0, send(topic, property("UNIQ_KEY", "OFF" + topic) + property(SEC, 3600)), "send");
        code(16, recall(topic, stored.ext().get("recallHandle")), "recalls are off");
        control("set-broker recallMessageEnable=true");
        control("restart-broker");
        try {
            String one = "ONE" + topic;
            String two = "TWO" + topic;
            // On a machine that stands still a recall may come when the message is due: then another one is recalled.
            Set<String> expected = new TreeSet<>(Set.of(two));
            String handle = null;
            for (int round = 0; handle == null; round++) {
                check(round < 10, "no recall comes in time");
                String key = one + "-" + round;
                Raw.Frame[] sent = new Raw.Frame[1];
                eventually(80, "sent", () -> (sent[0] = send(topic, property("UNIQ_KEY", key) + property(SEC, 4))).code() == 0);
                long due = System.currentTimeMillis() + 3000;
                String candidate = sent[0].ext().get("recallHandle");
                Raw.Frame answer = recall(topic, candidate);
                if (answer.code() == 0) {
                    same(key, answer.ext().get("msgId"), "msgId");
                    handle = candidate;
                } else {
                    code(604, answer, "recall");
                    check(System.currentTimeMillis() >= due, "a recall in time was refused");
                    expected.add(key);
                }
            }
            String recalled = handle;
            code(0, send(topic, property("UNIQ_KEY", two) + property(SEC, 4)), "send");
            long soon = System.currentTimeMillis() + 20_000;
            String other = topic(1);
            for (String bad : List.of("", "?", handle("v2", topic, "broker-a", soon, one), handle("v1", topic, "broker-a", soon),
                handle("v1", other, "broker-a", soon, one), handle("v1", topic, "broker-b", soon, one),
                handle("v1", topic, "broker-a", "soon", one), handle("v1", topic, "broker-a", soon - 30_000, one),
                handle("v1", topic, "broker-a", soon + 260_000_000L, one))) {
                if (!bad.isEmpty()) {
                    code(604, recall(topic, bad), bad);
                }
            }
            String nowhere = name("Nowhere");
            code(17, recall(nowhere, handle("v1", nowhere, "broker-a", soon, one)), "no such topic");
            eventually(80, "the other one is delivered", () -> keys(topic).contains(two));
            Thread.sleep(2000);
            same(new ArrayList<>(expected), keys(topic), "what was delivered");
            code(604, recall(topic, recalled), "recall after its time");
        } finally {
            control("set-broker recallMessageEnable=false");
            control("restart-broker");
        }
    }

    private static List<String> keys(String topic) throws Exception {
        return read(topic).stream().map(message -> message.getProperty("UNIQ_KEY")).sorted().collect(Collectors.toList());
    }

    private static void handles() throws Exception {
        String topic = topic(1);
        Raw.Frame timed = code(0, send(topic, property("UNIQ_KEY", "KEY") + property(SEC, 60)), "timer");
        String[] parts = new String(Base64.getUrlDecoder().decode(timed.ext().get("recallHandle")), StandardCharsets.UTF_8).split(" ");
        same(5, parts.length, "parts");
        same("v1 " + topic + " broker-a KEY", parts[0] + " " + parts[1] + " " + parts[2] + " " + parts[4], "handle");
        same(1L, Long.parseLong(parts[3]) % 1000, "time in the handle");
        same(0L, timed.number("queueId"), "queue in the answer");
        for (String none : List.of(property("DELAY", 1), property(AT, 1), property("KEYS", "k"))) {
            same(null, code(0, send(topic, none), none).ext().get("recallHandle"), "handle of " + none);
        }
    }

    /** A thousand with random delays: each once, none early. */
    private static void manyOnceEach() throws Exception {
        String topic = topic(4);
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        sendMany(topic, 12_000);
        eventually(160, "all delivered", () -> received.size() >= MANY);
        judge(received);
    }

    private static void manyOnceEachOverAStop() throws Exception {
        String topic = topic(4);
        sendMany(topic, 12_000);
        control("restart-broker");
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        eventually(120, "all delivered", () -> received.stream().map(Env::text).distinct().count() >= MANY);
        Thread.sleep(3000);
        Set<String> bodies = received.stream().map(Env::text).collect(Collectors.toCollection(TreeSet::new));
        same(MANY, bodies.size(), "messages");
        // A restarting client may take over its own queues and see some twice; the store is what counts.
        same(MANY, read(topic).size(), "stored deliveries");
        received.forEach(message -> check(late(message) >= -50, "early by " + -late(message) + ": " + text(message)));
    }

    private static void sendMany(String topic, int within) throws Exception {
        Random random = new Random(7);
        for (int i = 0; i < MANY; i++) {
            long delay = 1 + random.nextInt(within);
            send(due(timed(topic, "m" + i, MS, delay), System.currentTimeMillis() + delay));
        }
    }

    private static void judge(List<MessageExt> received) {
        same(MANY, received.size(), "deliveries");
        same((long) MANY, received.stream().map(Env::text).distinct().count(), "messages");
        for (MessageExt message : received) {
            between(-50, 60_000, late(message), "milliseconds late: " + text(message));
        }
    }
}
