package compat;

import static compat.Env.*;

import java.net.Inet6Address;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Traces of messages, names with a space before them, peers with other addresses. */
final class ScopeCases {
    private static final String FIELD = "\u0001";
    private static final String RECORD = "\u0002";

    private ScopeCases() { }

    static void register(Suite suite) {
        suite.add("A14", ScopeCases::sendsAndDeliveriesLeaveTraces);
        suite.add("A22", ScopeCases::namesOfANamespace);
        suite.raw("S24", ScopeCases::peerOfTheOtherKind);
    }

    private static void sendsAndDeliveriesLeaveTraces() throws Exception {
        String topic = topic(1);
        String traces = topic(1);
        String group = group();
        DefaultMQProducer producer = new DefaultMQProducer(name("P"), true, traces);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(name("i"));
        own(producer::shutdown);
        producer.start();
        producer.setSendMsgTimeout(PATIENCE_MS);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group, true, traces);
        consumer.setMqClientApiTimeout(PATIENCE_MS);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setInstanceName(name("i"));
        own(consumer::shutdown);
        List<MessageExt> received = consume(consumer, topic, "*");
        SendResult sent = producer.send(new Message(topic, "tag", "key", bytes("traced")));
        check(sent.isTraceOn() && "DefaultRegion".equals(sent.getRegionId()), "the answer says whether to trace, and the region");
        eventually(80, "consumed", () -> received.size() == 1);
        List<String[]> records = new ArrayList<>();
        eventually(80, "traces of the send and of the delivery", () -> {
            records.clear();
            for (MessageExt message : read(traces)) {
                for (String record : text(message).split(RECORD)) {
                    records.add(record.split(FIELD));
                }
            }
            return Set.of("Pub", "SubBefore", "SubAfter").equals(records.stream().map(record -> record[0]).collect(Collectors.toSet()));
        });
        String id = sent.getMsgId();
        for (String[] record : records) {
            check(List.of(record).contains(id), "no " + id + " in " + List.of(record));
            check(List.of(record).contains(record[0].equals("Pub") ? producer.getProducerGroup() : group), "no group in " + List.of(record));
        }
        MessageExt trace = read(traces).get(0);
        check(trace.getKeys().contains(id), "keys of the trace: " + trace.getKeys());
    }

    @SuppressWarnings("deprecation")
    private static void namesOfANamespace() throws Exception {
        String space = "space";
        String topic = name("T");
        String group = name("G");
        createTopic(space + "%" + topic, 1, 6);
        updateGroup(space + "%" + group);
        createTopic("%RETRY%" + space + "%" + group, 1, 6);
        DefaultMQProducer producer = new DefaultMQProducer(name("P"));
        producer.setNamespace(space);
        producer.setSendMsgTimeout(PATIENCE_MS);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(name("i"));
        own(producer::shutdown);
        producer.start();
        DefaultMQPushConsumer consumer = pushConsumer(group);
        consumer.setNamespace(space);
        List<MessageExt> received = new CopyOnWriteArrayList<>();
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            received.addAll(messages);
            return received.size() == 1 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        SendResult sent = producer.send(new Message(topic, bytes("spaced")));
        same(topic, sent.getMessageQueue().getTopic(), "topic of the result");
        eventually(80, "twice", () -> received.size() == 2);
        received.forEach(message -> same(topic, message.getTopic(), "topic of the listener"));
        same(1, received.get(1).getReconsumeTimes(), "times");
        same(1, read(space + "%" + topic).size(), "under the long name");
        same(1, read("%RETRY%" + space + "%" + group).size(), "in the retry topic");
    }

    private static void peerOfTheOtherKind() throws Exception {
        String topic = topic(1);
        try (Raw raw = new Raw("[::1]" + broker.substring(broker.lastIndexOf(':')))) {
            code(0, raw.call(Codes.SEND_MESSAGE_V2, sendFields(topic, 0), bytes("far away")), "send");
        }
        MessageExt message = first(topic);
        check(((java.net.InetSocketAddress) message.getBornHost()).getAddress() instanceof Inet6Address, "born at " + message.getBornHost());
        same(16, storedFlag(topic) & 16, "the flag for a long host");
        same("/" + broker, message.getStoreHost().toString(), "store host");
        same(32, offsetId(message).length(), "an id by the store's short host");
    }
}
