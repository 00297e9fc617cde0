package compat;

import static compat.Env.*;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Failed messages: retry, dead letters; delay levels, on which retry rests. */
final class RetryCases {
    private RetryCases() { }

    static void register(Suite suite) {
        suite.add("R01", RetryCases::laterComesBackAfterTenSeconds);
        suite.add("R02", RetryCases::levelOneComesBackAfterASecond);
        suite.add("R03", RetryCases::minusOneIsDead);
        suite.add("R04", RetryCases::deadAfterTheLimit);
        suite.raw("R05", RetryCases::sendBackOfNothing);
        suite.raw("R06", RetryCases::noRetryQueues);
        suite.add("R07", RetryCases::fallbackSend);
        suite.add("R08", java.util.EnumSet.of(Suite.Mark.SLOW), RetryCases::overlongConsumption);
        suite.add("R10", RetryCases::noRetryInBroadcast);
        suite.add("R11", RetryCases::idsOfTheRetry);
        suite.add("D01", RetryCases::delayLevels);
        suite.raw("D02", RetryCases::levelIsClamped);
    }

    /** A delivery as the listener saw it. */
    static final class Delivery {
        private final MessageExt message;
        private final String topic;
        private final long nanos;
        private final int times;

        Delivery(MessageExt message, String topic, long nanos, int times) {
            this.message = message;
            this.topic = topic;
            this.nanos = nanos;
            this.times = times;
        }

        MessageExt message() {
            return message;
        }

        String topic() {
            return topic;
        }

        long nanos() {
            return nanos;
        }

        int times() {
            return times;
        }
    }

    /** Consumes with a delay level for each failure; {@code fails} says how often a message fails. */
    private static List<Delivery> failing(DefaultMQPushConsumer consumer, String topic, int level, int fails) throws Exception {
        List<Delivery> deliveries = new CopyOnWriteArrayList<>();
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            deliveries.add(new Delivery(message, message.getTopic(), System.nanoTime(), message.getReconsumeTimes()));
            context.setDelayLevelWhenNextConsume(level);
            return deliveries.size() <= fails ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return deliveries;
    }

    private static void laterComesBackAfterTenSeconds() throws Exception {
        String topic = topic(1);
        List<Delivery> deliveries = failing(pushConsumer(retryGroup()), topic, 0, 1);
        producer().send(new Message(topic, "tag", "key", bytes("again")));
        eventually(80, "two deliveries", () -> deliveries.size() == 2);
        Delivery second = deliveries.get(1);
        // By the broker's time: a member that missed a route at its start looks for retries 30 s later only.
        between(10, 40, (second.message.getStoreTimestamp() - parked(3, second.message).getStoreTimestamp()) / 1e3, "seconds to the retry");
        check(second.nanos - deliveries.get(0).nanos > 9_500_000_000L, "it came back too early");
        same(1, second.times, "reconsume times");
        same(topic, second.topic, "topic the listener sees");
        same(topic, second.message.getProperty("RETRY_TOPIC"), "RETRY_TOPIC");
        check(second.message.getProperty("ORIGIN_MESSAGE_ID") != null, "ORIGIN_MESSAGE_ID is missing");
        same("tag", second.message.getTags(), "tag");
        same("key", second.message.getKeys(), "key");
    }

    private static void levelOneComesBackAfterASecond() throws Exception {
        String topic = topic(1);
        List<Delivery> deliveries = failing(pushConsumer(retryGroup()), topic, 1, 1);
        producer().send(new Message(topic, bytes("soon")));
        eventually(80, "two deliveries", () -> deliveries.size() == 2);
        check(deliveries.get(1).nanos - deliveries.get(0).nanos > 900_000_000L, "it came back too early");
        MessageExt second = deliveries.get(1).message;
        between(1, 40, (second.getStoreTimestamp() - parked(1, second).getStoreTimestamp()) / 1e3, "seconds to the retry");
    }

    /** The message as it waited at this delay level. */
    private static MessageExt parked(int level, MessageExt delivered) throws Exception {
        return read(new MessageQueue("SCHEDULE_TOPIC_XXXX", "broker-a", level - 1), "*").stream()
            .filter(waiting -> waiting.getMsgId().equals(delivered.getMsgId())).findFirst()
            .orElseThrow(() -> new AssertionError("it did not wait at level " + level));
    }

    private static void minusOneIsDead() throws Exception {
        String topic = topic(1);
        String group = group();
        List<Delivery> deliveries = failing(pushConsumer(group), topic, -1, 1);
        Message message = new Message(topic, "tag", "key", bytes("dead"));
        message.putUserProperty("own", "kept");
        producer().send(message);
        eventually(80, "in the dead-letter topic", () -> read("%DLQ%" + group).size() == 1);
        same(1, deliveries.size(), "deliveries");
        Raw.Frame[] answer = new Raw.Frame[1];
        eventually(80, "its route", () -> (answer[0] = rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC,
            fields("topic", "%DLQ%" + group, "acceptStandardJsonOnly", true))).code() == 0);
        Raw.Frame route = answer[0];
        same(6L, queueData(route).get("perm"), "perm");
        same(1L, queueData(route).get("writeQueueNums"), "queues");
        // R09: whoever subscribes the dead-letter topic gets the message as it was.
        List<MessageExt> buried = consume(pushConsumer(group()), "%DLQ%" + group, "*");
        eventually(80, "consumed from the dead-letter topic", () -> buried.size() == 1);
        same("dead", text(buried.get(0)), "body");
        same("kept", buried.get(0).getUserProperty("own"), "property");
        same("tag", buried.get(0).getTags(), "tag");
        same(topic, buried.get(0).getProperty("RETRY_TOPIC"), "RETRY_TOPIC");
    }

    private static void deadAfterTheLimit() throws Exception {
        String topic = topic(1);
        String group = retryGroup();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        consumer.setMaxReconsumeTimes(2);
        List<Delivery> deliveries = failing(consumer, topic, 1, Integer.MAX_VALUE);
        producer().send(new Message(topic, bytes("hopeless")));
        eventually(120, "in the dead-letter topic", () -> read("%DLQ%" + group).size() == 1);
        same(List.of(0, 1, 2), deliveries.stream().map(Delivery::times).collect(Collectors.toList()), "reconsume times of the deliveries");
    }

    private static Map<String, Object> sendBackFields(String group, long offset) {
        return fields("offset", offset, "group", group, "delayLevel", 0, "originMsgId", "x", "originTopic", "x", "unitMode", false, "maxReconsumeTimes", 16);
    }

    private static void sendBackOfNothing() throws Exception {
        code(1, raw().call(Codes.CONSUMER_SEND_MSG_BACK, sendBackFields(group(), 1L << 50)), "no such offset");
    }

    private static void noRetryQueues() throws Exception {
        String topic = topic(1);
        String group = group("retryQueueNums", 0);
        producer().send(new Message(topic, bytes("x")));
        eventually(80, "stored", () -> read(topic).size() == 1);
        long offset = read(topic).get(0).getCommitLogOffset();
        code(0, raw().call(Codes.CONSUMER_SEND_MSG_BACK, with(sendBackFields(group, offset), "delayLevel", 1)), "send back");
        Raw.Frame route = rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", "%RETRY%" + group));
        code(17, route, "no retry topic came to be");
    }

    /** What the client does when its send-back cannot get through: an ordinary send to the retry topic. */
    private static void fallbackSend() throws Exception {
        String topic = topic(1);
        String group = group();
        List<Delivery> deliveries = failing(pushConsumer(group), topic, 1, 0);
        eventually(80, "retry topic", () ->
            rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", "%RETRY%" + group)).code() == 0);
        Message message = new Message("%RETRY%" + group, bytes("fell back"));
        org.apache.rocketmq.common.message.MessageAccessor.putProperty(message, "RETRY_TOPIC", topic);
        org.apache.rocketmq.common.message.MessageAccessor.setReconsumeTime(message, "2");
        org.apache.rocketmq.common.message.MessageAccessor.setMaxReconsumeTimes(message, "16");
        message.setDelayTimeLevel(1);
        producer().send(message);
        eventually(80, "delivered", () -> deliveries.size() == 1);
        same(topic, deliveries.get(0).topic, "topic the listener sees");
        same(2, deliveries.get(0).times, "reconsume times");
    }

    private static void overlongConsumption() throws Exception {
        String topic = topic(1);
        DefaultMQPushConsumer consumer = pushConsumer(retryGroup());
        consumer.setConsumeTimeout(1);
        AtomicInteger deliveries = new AtomicInteger();
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            if (deliveries.incrementAndGet() == 1) {
                try {
                    Thread.sleep(200_000);
                } catch (InterruptedException e) {
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        producer().send(new Message(topic, bytes("busy")));
        eventually(180, "sent back while the first delivery is busy", () -> deliveries.get() == 2);
    }

    private static void noRetryInBroadcast() throws Exception {
        String topic = topic(1);
        DefaultMQPushConsumer consumer = pushConsumer(group());
        broadcast(consumer);
        List<Delivery> deliveries = failing(consumer, topic, 1, Integer.MAX_VALUE);
        producer().send(new Message(topic, bytes("once")));
        producer().send(new Message(topic, bytes("twice")));
        eventually(80, "two messages", () -> deliveries.size() >= 2);
        Thread.sleep(5000);
        same(2, deliveries.size(), "deliveries");
    }

    private static void idsOfTheRetry() throws Exception {
        String topic = topic(1);
        List<Delivery> deliveries = failing(pushConsumer(retryGroup()), topic, 1, 2);
        String unique = producer().send(new Message(topic, bytes("ids"))).getMsgId();
        eventually(80, "three deliveries", () -> deliveries.size() == 3);
        List<String> offsetIds = new ArrayList<>();
        for (Delivery delivery : deliveries) {
            same(unique, delivery.message.getMsgId(), "unique key");
            String id = offsetId(delivery.message);
            check(!offsetIds.contains(id), "offset id " + id + " twice");
            offsetIds.add(id);
        }
        same(offsetIds.get(0), deliveries.get(2).message.getProperty(MessageConst.PROPERTY_ORIGIN_MESSAGE_ID), "origin id of the last");
    }

    private static void delayLevels() throws Exception {
        String topic = topic(1);
        List<Delivery> deliveries = failing(pushConsumer(group()), topic, 0, 0);
        double[] seconds = {0, 1, 5, 10};
        for (int level = 1; level <= 3; level++) {
            Message message = new Message(topic, bytes(Integer.toString(level)));
            message.setDelayTimeLevel(level);
            producer().send(message);
        }
        eventually(80, "three deliveries", () -> deliveries.size() == 3);
        // By offset, because two threads consume.
        List<MessageExt> arrived = deliveries.stream().map(Delivery::message)
            .sorted(Comparator.comparing(MessageExt::getQueueOffset)).collect(Collectors.toList());
        same(List.of("1", "2", "3"), arrived.stream().map(Env::text).sorted().collect(Collectors.toList()), "messages");
        for (int i = 0; i < 3; i++) {
            MessageExt message = arrived.get(i);
            int level = Integer.parseInt(text(message));
            double waited = (message.getStoreTimestamp() - message.getBornTimestamp()) / 1e3;
            between(seconds[level] - 0.05, seconds[level] + 60, waited, "seconds at level " + level);
            check(message.getStoreTimestamp() - parked(level, message).getStoreTimestamp() >= seconds[level] * 1000, "early at level " + level);
            same(topic, message.getProperty("REAL_TOPIC") == null ? topic : message.getProperty("REAL_TOPIC"), "REAL_TOPIC");
            same(0L + i, message.getQueueOffset(), "offset");
        }
    }

    private static void levelIsClamped() throws Exception {
        String topic = topic(1);
        Raw.Frame sent = code(0, raw().call(Codes.SEND_MESSAGE_V2, with(sendFields(topic, 0), "i", "DELAY\u000130\u0002"), bytes("far")), "send");
        same(0L, sent.number("queueId"), "queue in the answer");
        MessageExt parked = records(SendCases.pullFound("SCHEDULE_TOPIC_XXXX", 17, sent.number("queueOffset"))).get(0);
        same("far", text(parked), "body");
        same(topic, parked.getProperty("REAL_TOPIC"), "REAL_TOPIC");
        same("0", parked.getProperty("REAL_QID"), "REAL_QID");
        same("18", parked.getProperty("DELAY"), "DELAY");
    }
}
