package compat;

import static compat.Env.*;

import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Groups that are moved to another place, cloned and deleted, and settings of a running broker. */
final class ResetCases {
    private ResetCases() { }

    static void register(Suite suite) {
        suite.add("Z01", ResetCases::runningGroupGoesBack);
        suite.raw("Z02", ResetCases::resetsThatCannotBe);
        suite.raw("Z03", ResetCases::accumulatedIsSkipped);
        suite.add("Z04", EnumSet.of(Suite.Mark.ALONE), ResetCases::clientsAreTold);
        suite.raw("Z05", ResetCases::groupIsCloned);
        suite.raw("Z06", ResetCases::cloneOfNoTopic);
        suite.raw("Z07", ResetCases::commitsDuringAReset);
        suite.raw("A05", ResetCases::groupIsDeleted);
        suite.raw("A06", ResetCases::settingsOfARunningBroker);
    }

    private static Raw.Frame reset(String topic, String group, long timestamp, Object... more) throws Exception {
        Map<String, Object> fields = fields("topic", topic, "group", group, "timestamp", timestamp, "isForce", true);
        return raw().call(Codes.INVOKE_BROKER_TO_RESET_OFFSET, with(fields, more));
    }

    private static void commit(String topic, String group, int queue, long offset) throws Exception {
        Map<String, Object> commit = fields("consumerGroup", group, "topic", topic, "queueId", queue, "commitOffset", offset);
        code(0, raw().call(Codes.UPDATE_CONSUMER_OFFSET, commit), "commit");
    }

    private static Raw.Frame committed(String topic, String group, int queue) throws Exception {
        return raw().call(Codes.QUERY_CONSUMER_OFFSET,
            fields("consumerGroup", group, "topic", topic, "queueId", queue, "setZeroIfNotFound", false));
    }

    /** Messages in queue 0, all readable. */
    private static void fill(String topic, int count) throws Exception {
        MessageQueue queue = queues(topic).get(0);
        for (int i = 0; i < count; i++) {
            same(SendStatus.SEND_OK, producer().send(new Message(topic, bytes("m" + i)), queue).getSendStatus(), "status");
        }
        read(queue, "*", count);
    }

    private static void runningGroupGoesBack() throws Exception {
        String topic = topic(2);
        String group = group();
        List<MessageExt> received = consume(pushConsumer(group), topic, "*");
        for (int i = 0; i < 10; i++) {
            producer().send(new Message(topic, bytes("m" + i)));
        }
        eventually(80, "ten", () -> received.size() == 10);
        String answer = new String(code(0, reset(topic, group, System.currentTimeMillis() - 3_600_000), "reset").body(), StandardCharsets.UTF_8);
        check(answer.contains("\"offsetTable\":{{"), answer);
        eventually(80, "ten once more", () -> isTwiceEach(received, 10));
        same(10L, received.stream().map(Env::text).distinct().count(), "messages");
    }

    /** A client that is moved may see one more than twice. */
    private static boolean isTwiceEach(List<MessageExt> received, int count) {
        Map<String, Long> times = received.stream().collect(Collectors.groupingBy(Env::text, Collectors.counting()));
        return times.size() == count && times.values().stream().allMatch(each -> each >= 2);
    }

    private static void commitsDuringAReset() throws Exception {
        String topic = topic(1);
        String group = group();
        fill(topic, 5);
        commit(topic, group, 0, 5);
        code(0, reset(topic, group, 0), "reset");
        commit(topic, group, 0, 4);
        same(0L, committed(topic, group, 0).number("offset"), "the reset stands");
        Map<String, Object> pull = with(pullFields(group, topic, 0, 5), "sysFlag", 4 | 1, "commitOffset", 3);
        same(0L, code(21, raw().call(Codes.PULL_MESSAGE, pull), "next pull").number("nextBeginOffset"), "next offset");
        commit(topic, group, 0, 4);
        same(4L, committed(topic, group, 0).number("offset"), "later commits count");
        same(5, records(code(0, raw().call(Codes.PULL_MESSAGE, pullFields(group, topic, 0, 0)), "pull")).size(), "messages");
    }

    private static void resetsThatCannotBe() throws Exception {
        String topic = topic(1);
        String group = group();
        fill(topic, 3);
        code(17, reset(name("missing"), group, -1), "unknown topic");
        code(26, reset(topic, name("missing"), -1), "unknown group");
        for (long offset : new long[] {5, -2, Long.MAX_VALUE}) {
            Raw.Frame answer = code(1, reset(topic, group, -1, "queueId", 0, "offset", offset), "offset " + offset);
            same("Target offset " + offset + " not in consume queue range [0-3]", answer.remark(), "remark");
        }
        code(0, reset(topic, group, -1, "queueId", 0, "offset", 2), "within");
        same(2L, committed(topic, group, 0).number("offset"), "offset");
    }

    private static void accumulatedIsSkipped() throws Exception {
        String topic = topic(1);
        String group = group();
        fill(topic, 7);
        commit(topic, group, 0, 1);
        code(0, reset(topic, group, -1), "reset");
        same(7L, committed(topic, group, 0).number("offset"), "offset");
        same(7L, code(21, raw().call(Codes.PULL_MESSAGE, pullFields(group, topic, 0, 1)), "pull").number("nextBeginOffset"), "next offset");
    }

    private static void configure(String line) throws Exception {
        code(0, raw().call(Codes.UPDATE_BROKER_CONFIG, Map.of(), bytes(line)), line);
    }

    /** The way of clients from before 5.1: they are told, and commit by themselves. */
    private static void clientsAreTold() throws Exception {
        String topic = topic(2);
        String group = group();
        configure("useServerSideResetOffset=false");
        try {
            code(1, reset(topic, group, 0), "a group that never committed");
            commit(topic, group, 0, 0);
            commit(topic, group, 1, 0);
            Raw.Frame nobody = code(206, reset(topic, group, 0), "nobody there");
            same("Consumer not online, so can not reset offset, Group: " + group + " Topic: " + topic + " Timestamp: 0", nobody.remark(), "remark");
            List<MessageExt> received = consume(pushConsumer(group), topic, "*");
            for (int i = 0; i < 6; i++) {
                producer().send(new Message(topic, bytes("m" + i)));
            }
            eventually(80, "six", () -> received.size() == 6);
            code(0, reset(topic, group, 0), "reset");
            // The client takes ten seconds over it.
            eventually(80, "six once more", () -> isTwiceEach(received, 6));
        } finally {
            configure("useServerSideResetOffset=true");
        }
    }

    private static void groupIsCloned() throws Exception {
        String topic = topic(2);
        String other = topic(1);
        String from = group();
        String to = group();
        commit(topic, from, 0, 3);
        commit(topic, from, 1, 4);
        commit(other, from, 0, 5);
        code(0, raw().call(Codes.CLONE_GROUP_OFFSET, fields("srcGroup", from, "destGroup", to, "topic", topic, "offline", false)), "clone");
        same(3L, committed(topic, to, 0).number("offset"), "queue 0");
        same(4L, committed(topic, to, 1).number("offset"), "queue 1");
        code(22, committed(other, to, 0), "another topic");
    }

    private static void cloneOfNoTopic() throws Exception {
        String topic = topic(1);
        String from = group();
        String to = group();
        commit(topic, from, 0, 3);
        code(0, raw().call(Codes.CLONE_GROUP_OFFSET, fields("srcGroup", from, "destGroup", to, "topic", "", "offline", true)), "clone");
        code(22, committed(topic, to, 0), "nothing is copied");
    }

    private static void groupIsDeleted() throws Exception {
        String topic = topic(1);
        String group = group();
        commit(topic, group, 0, 3);
        Map<String, Object> delete = fields("groupName", group, "cleanOffset", false);
        code(0, raw().call(Codes.DELETE_SUBSCRIPTIONGROUP, delete), "delete");
        same(3L, committed(topic, group, 0).number("offset"), "offsets stay");
        updateGroup(group);
        code(0, raw().call(Codes.DELETE_SUBSCRIPTIONGROUP, with(delete, "cleanOffset", true)), "delete with offsets");
        code(22, committed(topic, group, 0), "offsets are gone");
        code(0, raw().call(Codes.DELETE_SUBSCRIPTIONGROUP, delete), "delete what is gone");
    }

    private static String setting(String key) throws Exception {
        String all = new String(code(0, raw().call(Codes.GET_BROKER_CONFIG, Map.of()), "settings").body(), StandardCharsets.UTF_8);
        return all.lines().filter(line -> line.startsWith(key + "=")).findFirst().map(line -> line.substring(key.length() + 1)).orElse(null);
    }

    private static void settingsOfARunningBroker() throws Exception {
        same("broker-a", setting("brokerName"), "name");
        String before = setting("shortPollingTimeMills");
        configure("shortPollingTimeMills=1234");
        same("1234", setting("shortPollingTimeMills"), "changed");
        configure("shortPollingTimeMills=" + before);
        Raw.Frame refused = code(16, raw().call(Codes.UPDATE_BROKER_CONFIG, Map.of(), bytes("brokerConfigPath=/elsewhere\n")), "a key on the black list");
        check(refused.remark().startsWith("Can not update config in black list"), refused.remark());
    }
}
