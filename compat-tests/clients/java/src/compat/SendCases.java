package compat;

import static compat.Env.*;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageId;
import org.apache.rocketmq.common.message.MessageQueue;

/** Sending, one by one and in batches. */
final class SendCases {
    private static final int MIB = 1024 * 1024;

    private SendCases() { }

    static void register(Suite suite) {
        suite.add("S01", SendCases::spreadsOverQueues);
        suite.add("S02", SendCases::offsetIdFindsTheMessage);
        suite.add("S03", SendCases::topicIsCreatedOnFirstSend);
        suite.raw("S05", SendCases::illegalTopicNames);
        suite.raw("S06", SendCases::topicNameLength);
        suite.raw("S07", SendCases::systemTopicsRefuse);
        suite.raw("S08", SendCases::queueIdBounds);
        suite.raw("S09", SendCases::bodyLimit);
        suite.raw("S10", SendCases::propertiesLimit);
        suite.add("S11", SendCases::onewayHasNoAnswer);
        suite.add("S12", SendCases::thousandAsyncSends);
        suite.add("S13", SendCases::compressedBody);
        suite.add("S14", SendCases::twoKeys);
        suite.add("S15", SendCases::userProperties);
        suite.add("S17", SendCases::readOnlyTopic);
        suite.raw("S19", SendCases::unknownRequestCode);
        suite.add("S22", SendCases::withoutWaiting);
        suite.raw("S25", SendCases::fastPort);
        suite.raw("S26", SendCases::oldSendCode);
        suite.add("B01", SendCases::batchOfTen);
        suite.add("B02", SendCases::batchWithTags);
        suite.raw("B03", SendCases::batchToRetryTopic);
        suite.raw("H01", SendCases::answerCodec);
    }

    private static void spreadsOverQueues() throws Exception {
        String topic = topic(4);
        for (int i = 0; i < 8; i++) {
            same(SendStatus.SEND_OK, producer().send(new Message(topic, bytes("m" + i))).getSendStatus(), "status");
        }
        for (MessageQueue queue : queues(topic)) {
            List<MessageExt> messages = read(queue, "*", 2);
            same(2, messages.size(), "messages in " + queue.getQueueId());
            same(0L, messages.get(0).getQueueOffset(), "first offset");
            same(1L, messages.get(1).getQueueOffset(), "second offset");
        }
    }

    private static void offsetIdFindsTheMessage() throws Exception {
        String topic = topic(1);
        SendResult result = producer().send(new Message(topic, "tag", "key", bytes("found again")));
        MessageId id = MessageDecoder.decodeMessageId(result.getOffsetMsgId());
        same("/" + broker, id.getAddress().toString(), "store host");
        Raw.Frame answer = code(0, raw().call(Codes.VIEW_MESSAGE_BY_ID, fields("offset", id.getOffset(), "topic", topic)), "view");
        MessageExt raw = records(answer).get(0);
        same("found again", text(raw), "body");
        same(id.getOffset(), raw.getCommitLogOffset(), "physical offset");
        MessageExt viewed = producer().viewMessage(topic, result.getOffsetMsgId());
        same(result.getMsgId(), viewed.getMsgId(), "unique key");
        code(1, raw().call(Codes.VIEW_MESSAGE_BY_ID, fields("offset", id.getOffset() + 1_000_000_000L)), "view of nothing");
    }

    private static void topicIsCreatedOnFirstSend() throws Exception {
        String topic = name("Auto");
        producer().send(new Message(topic, bytes("first")));
        Raw.Frame route = rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic, "acceptStandardJsonOnly", true));
        Map<String, Object> queues = queueData(code(0, route, "route at once"));
        same(4L, queues.get("writeQueueNums"), "write queues");
        same(4L, queues.get("readQueueNums"), "read queues");
        same(6L, queues.get("perm"), "perm");
    }

    private static void illegalTopicNames() throws Exception {
        for (String topic : List.of("a b", "a/b", "a.b", "..", "h\u00e9", "")) {
            if (topic.isEmpty() && Raw.BINARY) {
                continue; // The binary codec has no empty value: the field is missing.
            }
            code(29, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("x")), "topic '" + topic + "'");
        }
    }

    private static void topicNameLength() throws Exception {
        String longest = (name("Long") + "x".repeat(127)).substring(0, 127);
        code(29, raw().call(Codes.SEND_MESSAGE_V2, sendFields(longest + "y", 0), bytes("x")), "128 characters");
        code(0, raw().call(Codes.SEND_MESSAGE_V2, sendFields(longest, 0), bytes("fits")), "127 characters");
        Raw.Frame answer = pullFound(longest, 0, 0);
        same("fits", text(records(answer).get(0)), "body");
        same(longest, records(answer).get(0).getTopic(), "topic");
    }

    private static void systemTopicsRefuse() throws Exception {
        for (String topic : List.of("SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "SELF_TEST_TOPIC",
            "OFFSET_MOVED_EVENT", "TRANS_CHECK_MAX_TIME_TOPIC")) {
            code(16, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("x")), topic);
        }
    }

    private static void queueIdBounds() throws Exception {
        String topic = topic(4);
        code(29, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 4), bytes("x")), "queue 4 of 4");
        Raw.Frame answer = code(0, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, -1), bytes("x")), "any queue");
        between(0, 3, answer.number("queueId"), "queue");
        same(1, records(pullFound(topic, (int) answer.number("queueId"), 0)).size(), "messages");
    }

    private static void bodyLimit() throws Exception {
        String topic = topic(1);
        code(13, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), new byte[4 * MIB + 1]), "4 MiB + 1");
        code(0, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), new byte[4 * MIB]), "4 MiB");
        same(4 * MIB, records(pullFound(topic, 0, 0)).get(0).getBody().length, "stored body");
    }

    private static void propertiesLimit() throws Exception {
        String topic = topic(1);
        String value = "v".repeat(32_800);
        code(13, raw().call(Codes.SEND_MESSAGE_V2, with(sendFields(topic, 0), "i", "k\u0001" + value + "\u0002"), bytes("x")), "properties");
        code(0, raw().call(Codes.SEND_MESSAGE_V2, with(sendFields(topic, 0), "i", "k\u0001" + value.substring(800) + "\u0002"), bytes("x")), "32 000 bytes");
    }

    private static void onewayHasNoAnswer() throws Exception {
        String topic = topic(1);
        Raw raw = raw();
        CompletableFuture<Raw.Frame> answer = raw.oneway(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("quiet"));
        producer().sendOneway(new Message(topic, bytes("quiet")));
        eventually(80, "both stored", () -> read(topic).size() == 2);
        check(!Raw.answered(answer, 500), "an answer to a one-way request");
        // Errors are not answered either.
        check(!Raw.answered(raw.oneway(Codes.SEND_MESSAGE_V2, sendFields("a b", 0), bytes("x")), 500), "an error to a one-way request");
    }

    private static void thousandAsyncSends() throws Exception {
        String topic = topic(4);
        int count = 1000;
        AtomicIntegerArray calls = new AtomicIntegerArray(count);
        CountDownLatch done = new CountDownLatch(count);
        Set<String> failures = new TreeSet<>();
        for (int i = 0; i < count; i++) {
            int number = i;
            producer().send(new Message(topic, bytes("m" + i)), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    calls.incrementAndGet(number);
                    done.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    synchronized (failures) {
                        failures.add(error.toString());
                    }
                    calls.incrementAndGet(number);
                    done.countDown();
                }
            }, 60_000);
        }
        check(done.await(80, TimeUnit.SECONDS), "callbacks missing: " + done.getCount());
        same(Set.of(), failures, "failures");
        for (int i = 0; i < count; i++) {
            same(1, calls.get(i), "callbacks of message " + i);
        }
        eventually(80, "all readable", () -> read(topic).size() == count);
    }

    private static void compressedBody() throws Exception {
        String topic = topic(1);
        byte[] body = "compress me, compress me. ".repeat(2000).getBytes();
        producer().send(new Message(topic, body));
        MessageExt message = first(topic);
        same(0x301, storedFlag(topic) & 0x701, "zlib in the stored flag");
        check(Arrays.equals(body, message.getBody()), "body differs");
        check(message.getStoreSize() < body.length / 4, "stored " + message.getStoreSize() + " bytes");
        List<MessageExt> received = consume(pushConsumer(group()), topic, "*");
        eventually(80, "pushed", () -> received.size() == 1);
        check(Arrays.equals(body, received.get(0).getBody()), "pushed body differs");
    }

    private static void twoKeys() throws Exception {
        String topic = topic(1);
        long begin = System.currentTimeMillis() - 1000;
        Message message = new Message(topic, bytes("keyed"));
        message.setKeys("left right");
        producer().send(message);
        for (String key : List.of("left", "right")) {
            eventually(80, "query by " + key, () ->
                producer().queryMessage(topic, key, 32, begin, System.currentTimeMillis() + 1000).getMessageList().size() == 1);
        }
    }

    private static void userProperties() throws Exception {
        String topic = topic(1);
        Message message = new Message(topic, "\u6807\u7b7e", "\u952e", bytes("props"));
        message.putUserProperty("stadt", "K\u00f6ln \u2600");
        message.putUserProperty("\u540d\u524d", "\ud83d\ude80");
        producer().send(message);
        MessageExt back = first(topic);
        same("K\u00f6ln \u2600", back.getUserProperty("stadt"), "latin value");
        same("\ud83d\ude80", back.getUserProperty("\u540d\u524d"), "key and value beyond the basic plane");
        same("\u6807\u7b7e", back.getTags(), "tag");
        same("\u952e", back.getKeys(), "key");
        same("DefaultCluster", back.getProperty("CLUSTER"), "cluster stamp");
        same("DefaultRegion", back.getProperty("MSG_REGION"), "region stamp");
    }

    private static void readOnlyTopic() throws Exception {
        String topic = name("ReadOnly");
        createTopic(topic, 4, 4);
        try {
            producer().send(new Message(topic, bytes("x")));
            throw new AssertionError("the client found a writable queue");
        } catch (MQClientException expected) {
            check(expected.getMessage().contains("No route info"), expected.getMessage());
        }
        code(0, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("x")), "raw send");
    }

    private static void unknownRequestCode() throws Exception {
        for (int code : new int[] {9999, -7, 28_000}) {
            Raw.Frame answer = code(3, raw().call(code, Map.of()), "request code " + code);
            check(answer.remark().contains("request type " + code + " not supported"), answer.remark());
        }
    }

    private static void withoutWaiting() throws Exception {
        Message message = new Message(topic(1), bytes("x"));
        message.setWaitStoreMsgOK(false);
        same(SendStatus.SEND_OK, producer().send(message).getSendStatus(), "status");
    }

    private static void fastPort() throws Exception {
        String topic = topic(1);
        int colon = broker.lastIndexOf(':');
        Raw fast = own(new Raw(broker.substring(0, colon + 1) + (Integer.parseInt(broker.substring(colon + 1)) - 2)));
        code(0, fast.call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("x")), "send");
        code(3, fast.call(Codes.PULL_MESSAGE, pullFields("TOOLS_CONSUMER", topic, 0, 0)), "pull");
    }

    private static void oldSendCode() throws Exception {
        String topic = topic(1);
        Raw.Frame answer = code(0, raw().call(Codes.SEND_MESSAGE, fields("producerGroup", "p", "topic", topic, "defaultTopic", "TBW102",
            "defaultTopicQueueNums", 4, "queueId", 0, "sysFlag", 0, "bornTimestamp", System.currentTimeMillis(), "flag", 5,
            "properties", "TAGS\u0001A\u0002", "reconsumeTimes", 0, "unitMode", false), bytes("old")), "send");
        same(0L, answer.number("queueOffset"), "offset");
        same(32, answer.ext().get("msgId").length(), "length of the offset id");
        same("DefaultRegion", answer.ext().get("MSG_REGION"), "region");
        same("true", answer.ext().get("TRACE_ON"), "trace");
        MessageExt message = records(pullFound(topic, 0, 0)).get(0);
        same(5, message.getFlag(), "flag");
        same("A", message.getTags(), "tag");
        check(message.getProperty("UNIQ_KEY") != null, "the broker makes a unique key");
        same(message.getProperty("UNIQ_KEY"), answer.ext().get("transactionId"), "unique key in the answer");
    }

    private static void batchOfTen() throws Exception {
        String topic = topic(4);
        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            batch.add(new Message(topic, "t", "k" + i, bytes("b" + i)));
        }
        SendResult result = producer().send(batch);
        String[] ids = result.getOffsetMsgId().split(",");
        same(10, ids.length, "offset ids");
        same(10, new HashSet<>(Arrays.asList(ids)).size(), "different offset ids");
        List<MessageExt> messages = read(result.getMessageQueue(), "*", 10);
        same(10, messages.size(), "messages on one queue");
        for (int i = 0; i < 10; i++) {
            same("b" + i, text(messages.get(i)), "body");
            same(result.getQueueOffset() + i, messages.get(i).getQueueOffset(), "offset");
            same(MessageDecoder.decodeMessageId(ids[i]).getOffset(), messages.get(i).getCommitLogOffset(), "offset id " + i);
        }
    }

    private static void batchWithTags() throws Exception {
        String topic = topic(1);
        List<Message> batch = new ArrayList<>();
        for (String tag : List.of("A", "B", "A", "C", "B", "A")) {
            batch.add(new Message(topic, tag, bytes(tag)));
        }
        producer().send(batch);
        List<MessageExt> received = read(queues(topic).get(0), "A", 3);
        same(List.of(0L, 2L, 5L), received.stream().map(MessageExt::getQueueOffset).collect(Collectors.toList()), "offsets of tag A");
        DefaultMQPushConsumer consumer = pushConsumer(group());
        List<MessageExt> pushed = consume(consumer, topic, "B || C");
        eventually(80, "B and C pushed", () -> pushed.size() == 3);
    }

    private static void batchToRetryTopic() throws Exception {
        String group = group();
        byte[] body = bytes("in a batch");
        ByteBuffer entry = ByteBuffer.allocate(4 * 5 + body.length + 2);
        entry.putInt(entry.capacity()).putInt(0).putInt(0).putInt(0).putInt(body.length).put(body).putShort((short) 0);
        Map<String, Object> header = with(sendFields("%RETRY%" + group, 0), "m", true);
        code(13, raw().call(Codes.SEND_BATCH_MESSAGE, header, entry.array()), "batch to a retry topic");
        String topic = topic(1);
        code(0, raw().call(Codes.SEND_BATCH_MESSAGE, with(sendFields(topic, 0), "m", true), entry.array()), "batch of one");
        // A body length that points beyond the batch.
        entry.putInt(16, 1 << 30);
        check(raw().call(Codes.SEND_BATCH_MESSAGE, with(sendFields(topic, 0), "m", true), entry.array()).code() != 0, "broken batch accepted");
        same(1, records(pullFound(topic, 0, 0)).size(), "messages");
    }

    private static void answerCodec() throws Exception {
        String topic = topic(1);
        Raw.Frame answer = code(0, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("x")), "send");
        check(answer.codec() == 0 || Raw.BINARY, "a binary answer to a JSON question");
        same(0L, answer.number("queueOffset"), "offset");
        code(3, raw().call(9999, Map.of()), "unknown code");
    }

    /** Pulls until the message is readable, which is a moment after the send. */
    static Raw.Frame pullFound(String topic, int queue, long offset) throws Exception {
        Raw raw = raw();
        Raw.Frame[] last = new Raw.Frame[1];
        eventually(80, "a message at " + offset + " of " + topic, () -> {
            last[0] = raw.call(Codes.PULL_MESSAGE, pullFields("TOOLS_CONSUMER", topic, queue, offset));
            return last[0].code() == 0;
        });
        return last[0];
    }
}
