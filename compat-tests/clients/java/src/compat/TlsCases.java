package compat;

import static compat.Env.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** TLS on the ports of everything else. The harness starts a cluster for each mode and names the mode in a system property. */
final class TlsCases {
    private static final int LARGE = 3 << 20;

    private TlsCases() { }

    static void register(Suite suite) {
        suite.add("A11", EnumSet.of(Suite.Mark.OWN), TlsCases::theModeSaysWhoIsServed);
    }

    private static void theModeSaysWhoIsServed() throws Exception {
        String mode = System.getProperty("compat.tls.mode");
        List<Boolean> served = new ArrayList<>();
        List<Boolean> refused = new ArrayList<>();
        (mode.equals("disabled") ? refused : served).add(true);
        (mode.equals("enforcing") ? refused : served).add(false);
        String topic = name("T");
        byte[] large = new byte[LARGE];
        new Random(1).nextBytes(large);
        List<DefaultMQProducer> producers = new ArrayList<>();
        for (boolean byTls : served) {
            for (boolean byFastPort : List.of(false, true)) {
                DefaultMQProducer producer = producer(byTls);
                producer.setVipChannelEnabled(byFastPort);
                producers.add(producer);
                for (int i = 0; i < 50; i++) {
                    same(SendStatus.SEND_OK, producer.send(new Message(topic, bytes("small"))).getSendStatus(), "small");
                }
                same(SendStatus.SEND_OK, producer.send(new Message(topic, large)).getSendStatus(), "large");
            }
        }
        int sent = producers.size() * 51;
        List<List<MessageExt>> all = new ArrayList<>();
        for (boolean byTls : served) {
            DefaultMQPushConsumer consumer = pushConsumer(name("G"));
            consumer.setUseTLS(byTls);
            List<MessageExt> received = consume(consumer, topic, "*");
            all.add(received);
            eventually(60, "all, by TLS " + byTls, () -> received.size() == sent);
            received.forEach(message -> check(message.getBody().length == 5 || Arrays.equals(large, message.getBody()), "a body"));
        }
        // Pulls are held now: these come by the threads of other connections.
        for (DefaultMQProducer producer : producers) {
            producer.send(new Message(topic, bytes("later")));
        }
        for (List<MessageExt> received : all) {
            eventually(60, "later", () -> received.size() == sent + producers.size());
        }
        for (boolean byTls : refused) {
            DefaultMQProducer producer = producer(byTls);
            try {
                producer.send(new Message(topic, bytes("refused")));
            } catch (Exception expected) {
                continue;
            }
            throw new AssertionError("a client was served, by TLS " + byTls);
        }
    }

    private static DefaultMQProducer producer(boolean byTls) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(name("P"));
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(name("i"));
        producer.setUseTLS(byTls);
        producer.setSendMsgTimeout(10_000);
        own(producer::shutdown);
        producer.start();
        return producer;
    }
}
