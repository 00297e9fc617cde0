package compat;

import static compat.Env.*;

import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Topics, groups, routes, key-value settings and queries, by hand-made frames. */
final class TopicCases {
    private TopicCases() { }

    static void register(Suite suite) {
        suite.raw("A01", TopicCases::createTwice);
        suite.raw("A02", TopicCases::systemNames);
        suite.raw("A03", TopicCases::unknownAttribute);
        suite.raw("A04", TopicCases::moreAndFewerQueues);
        suite.add("A08", TopicCases::queries);
        suite.add("A09", TopicCases::queryFindsNothing);
        suite.raw("L01", TopicCases::topicLists);
        suite.raw("L02", TopicCases::groupLists);
        suite.raw("L03", TopicCases::deleteTopic);
        suite.raw("N01", TopicCases::keyValues);
        suite.raw("N02", TopicCases::bothNameServersKnow);
        suite.raw("N03", TopicCases::routeOfNothing);
    }

    private static Map<String, Object> route(String server, String topic) throws Exception {
        try (Raw raw = new Raw(server)) {
            Raw.Frame answer = raw.call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic, "acceptStandardJsonOnly", true));
            return queueData(code(0, answer, "route of " + topic));
        }
    }

    private static void createTwice() throws Exception {
        String topic = name("Twice");
        Raw raw = raw();
        code(0, raw.call(Codes.UPDATE_AND_CREATE_TOPIC, topicFields(topic, 3, 6)), "first");
        code(0, raw.call(Codes.UPDATE_AND_CREATE_TOPIC, topicFields(topic, 3, 6)), "again");
        Raw.Frame mixed = raw.call(Codes.UPDATE_AND_CREATE_TOPIC, with(topicFields(name("Mixed"), 3, 6), "attributes", "+message.type=MIXED"));
        code(29, mixed, "MIXED");
    }

    private static void systemNames() throws Exception {
        Raw raw = raw();
        for (String topic : List.of("TBW102", "SCHEDULE_TOPIC_XXXX", "SELF_TEST_TOPIC", "rmq_sys_mine", "", "a b", "a/../b")) {
            if (topic.isEmpty() && Raw.BINARY) {
                continue; // The binary codec has no empty value: the field is missing.
            }
            code(29, raw.call(Codes.UPDATE_AND_CREATE_TOPIC, topicFields(topic, 1, 6)), "create '" + topic + "'");
        }
        for (String topic : Raw.BINARY ? List.of("SCHEDULE_TOPIC_XXXX") : List.of("", "SCHEDULE_TOPIC_XXXX")) {
            code(29, raw.call(Codes.DELETE_TOPIC_IN_BROKER, fields("topic", topic)), "delete '" + topic + "'");
        }
    }

    private static void unknownAttribute() throws Exception {
        String topic = name("Attribute");
        Raw.Frame answer = raw().call(Codes.UPDATE_AND_CREATE_TOPIC, with(topicFields(topic, 1, 6), "attributes", "+no.such.key=1"));
        code(1, answer, "unknown attribute");
        code(17, rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", topic)), "nothing was created");
    }

    private static void moreAndFewerQueues() throws Exception {
        String topic = topic(2);
        String server = namesrv.split(";")[0];
        for (int queues : new int[] {6, 1}) {
            code(0, raw().call(Codes.UPDATE_AND_CREATE_TOPIC, topicFields(topic, queues, 6)), queues + " queues");
            eventually(80, "route of " + queues, () -> route(server, topic).get("writeQueueNums").equals((long) queues));
            same((long) queues, route(server, topic).get("readQueueNums"), "read queues");
            code(29, raw().call(Codes.SEND_MESSAGE_V2, sendFields(topic, queues), bytes("x")), "send beyond");
            code(29, raw().call(Codes.PULL_MESSAGE, pullFields("TOOLS_CONSUMER", topic, queues, 0)), "pull beyond");
        }
    }

    private static void queries() throws Exception {
        String topic = topic(1);
        long begin = System.currentTimeMillis() - 1000;
        Message message = new Message(topic, "tag", "orders-7", bytes("to find"));
        String unique = producer().send(message).getMsgId();
        eventually(80, "by key", () -> producer().queryMessage(topic, "orders-7", 10, begin, System.currentTimeMillis() + 1000).getMessageList().size() == 1);
        eventually(80, "by unique key", () -> unique.equals(producer().viewMessage(topic, unique).getMsgId()));
        MessageExt found = producer().viewMessage(topic, unique);
        same("to find", text(found), "body");
        same(text(found), text(producer().viewMessage(topic, offsetId(found))), "by offset id");
        // maxNum bounds the answer.
        for (int i = 0; i < 5; i++) {
            producer().send(new Message(topic, "tag", "many", bytes("m" + i)));
        }
        eventually(80, "five by key", () -> producer().queryMessage(topic, "many", 10, begin, System.currentTimeMillis() + 1000).getMessageList().size() == 5);
        same(2, producer().queryMessage(topic, "many", 2, begin, System.currentTimeMillis() + 1000).getMessageList().size(), "at most two");
    }

    private static void queryFindsNothing() throws Exception {
        String topic = topic(1);
        Raw.Frame answer = raw().call(Codes.QUERY_MESSAGE, fields("topic", topic, "key", "none", "maxNum", 10, "beginTimestamp", 0,
            "endTimestamp", System.currentTimeMillis()));
        code(22, answer, "query");
        try {
            producer().queryMessage(topic, "none", 10, 0, System.currentTimeMillis());
            throw new AssertionError("the client found something");
        } catch (MQClientException expected) {
            same(208, expected.getResponseCode(), "the client's own code for nothing");
        }
    }

    @SuppressWarnings("unchecked")
    private static void topicLists() throws Exception {
        String topic = topic(3);
        List<String> all = (List<String>) Json.object(code(0, rawNamesrv().call(Codes.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, Map.of()), "list").body()).get("topicList");
        check(all.contains(topic) && all.contains("TBW102") && all.contains("SCHEDULE_TOPIC_XXXX"), "topics of the name server: " + all);
        Map<String, Object> table = (Map<String, Object>) Json.object(code(0, raw().call(Codes.GET_ALL_TOPIC_CONFIG, Map.of()), "configs").body()).get("topicConfigTable");
        Map<String, Object> config = (Map<String, Object>) table.get(topic);
        same(3L, config.get("readQueueNums"), "read queues");
        same(3L, config.get("writeQueueNums"), "write queues");
        same(6L, config.get("perm"), "perm");
        same(18L, ((Map<String, Object>) table.get("SCHEDULE_TOPIC_XXXX")).get("readQueueNums"), "queues of the schedule topic");
        same(7L, ((Map<String, Object>) table.get("TBW102")).get("perm"), "perm of the template");
    }

    @SuppressWarnings("unchecked")
    private static void groupLists() throws Exception {
        String group = group("retryMaxTimes", 5, "retryQueueNums", 2);
        Raw.Frame answer = code(0, raw().call(Codes.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, Map.of()), "groups");
        Map<String, Object> table = (Map<String, Object>) Json.object(answer.body()).get("subscriptionGroupTable");
        Map<String, Object> config = (Map<String, Object>) table.get(group);
        same(5L, config.get("retryMaxTimes"), "retryMaxTimes");
        same(2L, config.get("retryQueueNums"), "retryQueueNums");
        same(true, config.get("consumeEnable"), "consumeEnable");
        check(table.containsKey("TOOLS_CONSUMER") && table.containsKey("CID_RMQ_SYS_TRANS"), "groups of the broker: " + table.keySet());
        for (String bad : List.of("a b", "a/b", "x".repeat(121))) {
            Raw.Frame refused = raw().call(Codes.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, Map.of(), bytes(Json.write(fields("groupName", bad))));
            check(refused.code() != 0, "group name " + bad + " accepted");
        }
    }

    private static void deleteTopic() throws Exception {
        String topic = topic(2);
        producer().send(new Message(topic, bytes("gone")));
        code(0, raw().call(Codes.DELETE_TOPIC_IN_BROKER, fields("topic", topic)), "delete");
        code(17, raw().call(Codes.PULL_MESSAGE, pullFields("TOOLS_CONSUMER", topic, 0, 0)), "pull");
        Map<String, Object> send = with(sendFields(topic, 0), "c", "no_template");
        code(17, raw().call(Codes.SEND_MESSAGE_V2, send, bytes("x")), "send without a template");
        code(0, raw().call(Codes.DELETE_TOPIC_IN_BROKER, fields("topic", topic)), "delete again");
    }

    private static void keyValues() throws Exception {
        Raw raw = rawNamesrv();
        String key = name("key");
        code(22, raw.call(Codes.GET_KV_CONFIG, fields("namespace", "mine", "key", key)), "before");
        code(0, raw.call(Codes.PUT_KV_CONFIG, fields("namespace", "mine", "key", key, "value", "v=1;w \u00e9")), "put");
        same("v=1;w \u00e9", code(0, raw.call(Codes.GET_KV_CONFIG, fields("namespace", "mine", "key", key)), "get").ext().get("value"), "value");
        code(0, raw.call(Codes.DELETE_KV_CONFIG, fields("namespace", "mine", "key", key)), "delete");
        code(22, raw.call(Codes.GET_KV_CONFIG, fields("namespace", "mine", "key", key)), "after");
        code(0, raw.call(Codes.DELETE_KV_CONFIG, fields("namespace", "mine", "key", key)), "delete again");
    }

    private static void bothNameServersKnow() throws Exception {
        String topic = topic(5);
        check(namesrv.split(";").length > 1, "started with one name server");
        for (String server : namesrv.split(";")) {
            same(5L, route(server, topic).get("writeQueueNums"), "queues at " + server);
        }
    }

    private static void routeOfNothing() throws Exception {
        Raw.Frame answer = code(17, rawNamesrv().call(Codes.GET_ROUTEINFO_BY_TOPIC, fields("topic", name("Nothing"))), "route");
        check(answer.remark().contains("No topic route info in name server for the topic"), answer.remark());
        code(3, rawNamesrv().call(9999, Map.of()), "unknown code");
    }
}
