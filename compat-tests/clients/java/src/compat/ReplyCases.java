package compat;

import static compat.Env.*;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.exception.RemotingException;

/** Requests that wait for the reply of a consumer. */
final class ReplyCases {
    private static final int PATIENCE_MS = 2 * Env.PATIENCE_MS;

    private ReplyCases() { }

    static void register(Suite suite) {
        suite.add("Q01", ReplyCases::repliesComeBack);
        suite.add("Q02", ReplyCases::nobodyReplies);
        suite.raw("Q03", ReplyCases::whoAskedIsGone);
        suite.add("Q04", ReplyCases::callbackFiresOnce);
    }

    /** A consumer that answers each request with its body and "!". */
    private static void answerer(String topic) throws Exception {
        DefaultMQProducer replies = producer();
        DefaultMQPushConsumer consumer = pushConsumer(group());
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                try {
                    replies.send(MessageUtil.createReplyMessage(message, bytes(text(message) + "!")), Env.PATIENCE_MS);
                } catch (Exception error) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    private static void repliesComeBack() throws Exception {
        String topic = topic(2);
        answerer(topic);
        for (int i = 0; i < 20; i++) {
            Message reply = producer().request(new Message(topic, bytes("question " + i)), PATIENCE_MS);
            same("question " + i + "!", text(reply), "reply");
        }
    }

    private static void nobodyReplies() throws Exception {
        // The time is for the send as well: on a slow machine it needs more.
        for (int patience = 1000; ; patience *= 4) {
            String topic = topic(1);
            try {
                producer().request(new Message(topic, bytes("anyone?")), patience);
                check(false, "a request without a reply came back");
            } catch (RequestTimeoutException expected) {
                same(1, read(queues(topic).get(0), "*", 1).size(), "the request is an ordinary message");
                return;
            } catch (MQClientException | RemotingException slow) {
                if (patience > 30_000) {
                    throw slow;
                }
            }
        }
    }

    private static void whoAskedIsGone() throws Exception {
        Raw raw = raw();
        String topic = read(topicWithOneMessage()).get(0).getProperty("CLUSTER") + "_REPLY_TOPIC";
        String correlation = name("Correlation");
        String properties = "MSG_TYPE\u0001reply\u0002CORRELATION_ID\u0001" + correlation
            + "\u0002REPLY_TO_CLIENT\u0001gone@1\u0002TTL\u00013000\u0002";
        Raw.Frame answer = code(1, raw.call(325, with(sendFields(topic, 0), "i", properties), bytes("too late")), "reply to nobody");
        check(answer.remark().contains("channel of <gone@1> not found"), answer.remark());
        eventually(80, "the reply is kept", () -> {
            List<MessageExt> kept = read(topic);
            return kept.stream().anyMatch(message -> correlation.equals(message.getProperty("CORRELATION_ID")));
        });
    }

    private static String topicWithOneMessage() throws Exception {
        String topic = topic(1);
        producer().send(new Message(topic, bytes("for its properties")));
        return topic;
    }

    private static void callbackFiresOnce() throws Exception {
        String topic = topic(1);
        answerer(topic);
        CountDownLatch fired = new CountDownLatch(1);
        AtomicInteger times = new AtomicInteger();
        AtomicReference<Object> outcome = new AtomicReference<>();
        producer().request(new Message(topic, bytes("call me")), new RequestCallback() {
            @Override
            public void onSuccess(Message reply) {
                outcome.set(text(reply));
                times.incrementAndGet();
                fired.countDown();
            }

            @Override
            public void onException(Throwable error) {
                outcome.set(error);
                times.incrementAndGet();
                fired.countDown();
            }
        }, PATIENCE_MS);
        check(fired.await(PATIENCE_MS + 5000, TimeUnit.MILLISECONDS), "no callback");
        same("call me!", outcome.get(), "reply");
        // The next reply comes behind a second call of the first, should there be one.
        same("and again!", text(producer().request(new Message(topic, bytes("and again")), PATIENCE_MS)), "next reply");
        same(1, times.get(), "callbacks");
    }
}
