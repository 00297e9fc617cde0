package compat;

import static compat.Env.*;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Upstream's mqadmin and ours on one cluster, command by command: all in this process, ours as a process of its own. What both print is
 * compared line by line with values normalised, and what upstream's prints also with what it printed of the reference.
 *
 * <p>Arguments: -namesrv ADDR -broker ADDR -mqadmin OURS -golden FILE [-write]. A line PASS or FAIL for each command: J-name is upstream's
 * tool against the recorded output, T-name our tool against upstream's.
 */
public final class Mqadmin {
    private static final String TOPIC = "MqadminTopic";
    private static final String MADE = "MqadminMade";
    private static final String GROUP = "mqadmin_live";
    private static final String PRODUCERS = "mqadmin_producers";
    private static final int MESSAGES = 40;
    private static final Pattern CODE = Pattern.compile("CODE:? *(\\d+)");

    /** What is compared of an output. */
    private enum Kind {
        /** Every line. */
        LINES,
        /** Every line, in any order: upstream's is that of a hash table that was filled in an order of its own. */
        SORTED,
        /** Lines about the topic and the groups of this program, and heads. */
        OWN,
        /** The first word of each line, in any order. */
        KEYS,
    }

    private static final Map<String, String> PLACES = new LinkedHashMap<>();
    private static final PrintStream OUT = System.out;
    private static final PrintStream ERR = System.err;
    private static final Map<String, List<String>> golden = new LinkedHashMap<>();
    private static final Map<String, List<String>> seen = new LinkedHashMap<>();
    private static String ours;
    private static boolean hasFailed;

    private Mqadmin() { }

    public static void main(String[] arguments) {
        int status = 2;
        try {
            status = compare(arguments);
        } catch (Throwable problem) {
            problem.printStackTrace();
        }
        OUT.flush();
        // The clients' threads live on.
        Runtime.getRuntime().halt(status);
    }

    private static int compare(String[] arguments) throws Exception {
        Path file = null;
        boolean writes = false;
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "-namesrv": namesrv = arguments[++i]; break;
                case "-broker": broker = arguments[++i]; break;
                case "-mqadmin": ours = arguments[++i]; break;
                case "-golden": file = Paths.get(arguments[++i]); break;
                case "-write": writes = true; break;
                default: throw new IllegalArgumentException(arguments[i]);
            }
        }
        if (!writes) {
            read(file);
        }
        prepare();
        // Questions first, then what changes something; first of all what is true for a minute only.
        run("statsAll -a", Kind.OWN);
        run("statsAll -t {t}", Kind.LINES);
        // The retry topic is found with the next look at routes, and its offset stored some time later.
        eventually(120, "the retry queue has an offset", () -> java("consumerProgress -g " + GROUP).text.contains("%RETRY%"));
        run("clusterList", Kind.LINES);
        run("clusterList -m", Kind.LINES);
        run("brokerStatus -b {b}", Kind.KEYS);
        run("brokerStatus -c DefaultCluster", Kind.KEYS);
        run("topicList", Kind.OWN);
        run("topicList -c", Kind.OWN);
        run("topicRoute -t {t}", Kind.LINES);
        run("topicRoute -t {t} -l", Kind.LINES);
        run("topicRoute -t NoSuchTopic", Kind.LINES);
        run("topicStatus -t {t}", Kind.LINES);
        run("topicStatus -t NoSuchTopic", Kind.LINES);
        run("topicClusterList -t {t}", Kind.LINES);
        run("consumerProgress", Kind.OWN);
        run("consumerProgress -g {g}", Kind.LINES);
        run("consumerProgress -g {g} -t {t}", Kind.LINES);
        run("consumerProgress -g {g} -s true", Kind.LINES);
        run("consumerProgress -g no_such_group", Kind.LINES);
        run("consumerConnection -g {g}", Kind.LINES);
        run("consumerConnection -g {g} -b {b}", Kind.LINES);
        run("consumerConnection -g no_such_group", Kind.LINES);
        run("consumerStatus -g {g}", Kind.LINES);
        run("consumerStatus -g {g} -i {c}", Kind.SORTED);
        run("producerConnection -g {p} -t {t}", Kind.LINES);
        run("producerConnection -g no_such_group -t {t}", Kind.LINES);
        run("producer -b {b}", Kind.OWN);
        run("getConsumerConfig -g {g}", Kind.LINES);
        run("brokerConsumeStats -b {b}", Kind.OWN);
        run("getBrokerConfig -b {b}", Kind.KEYS);
        run("getNamesrvConfig", Kind.KEYS);
        run("queryMsgById -t {t} -i {o}", Kind.LINES);
        run("queryMsgById -t {t} -i {i}", Kind.LINES);
        run("queryMsgByKey -t {t} -k key7", Kind.LINES);
        run("queryMsgByKey -t {t} -k nokey", Kind.LINES);
        run("queryMsgByUniqueKey -t {t} -i {i}", Kind.LINES);
        run("queryMsgByOffset -t {t} -b broker-a -i 0 -o 0", Kind.LINES);
        run("queryMsgTraceById -i {i}", Kind.LINES);
        run("printMsg -t {t}", Kind.LINES);
        run("printMsg -t {t} -d false -s TagA", Kind.LINES);
        run("printMsgByQueue -t {t} -a broker-a -i 1 -p true -d true -f true", Kind.LINES);
        run("consumeMessage -t {t} -b broker-a -i 0", Kind.LINES);
        run("queryCq -t {t} -q 0 -i 0 -c 3", Kind.LINES);
        run("queryCq -t {t} -q 0 -i 0 -c 2 -b {b} -g {g}", Kind.LINES);
        run("allocateMQ -t {t} -i 10.0.0.1,10.0.0.2,10.0.0.3", Kind.LINES);
        run("haStatus -b {b}", Kind.LINES);
        run("getColdDataFlowCtrInfo -b {b}", Kind.LINES);
        run("updateTopic -b {b} -t {m} -r 4 -w 4", Kind.LINES);
        run("updateTopic -c DefaultCluster -t {m} -r 8 -w 8 -a +message.type=NORMAL", Kind.LINES);
        run("updateTopic -b {b} -t TBW102", Kind.LINES);
        run("updateTopicList -b {b} -f {f}/topics.json", Kind.LINES);
        run("updateTopicPerm -b {b} -t {m} -p 4", Kind.LINES, "updateTopicPerm -b {b} -t {m} -p 6");
        run("updateTopicPerm -c DefaultCluster -t {m} -p 6", Kind.LINES);
        run("updateOrderConf -t {m} -m put -v broker-a:4", Kind.LINES);
        run("updateOrderConf -t {m} -m get", Kind.LINES);
        run("updateOrderConf -t {m} -m delete", Kind.LINES);
        run("updateSubGroup -c DefaultCluster -g mqadmin_made -r 3 -q 2", Kind.LINES);
        run("updateSubGroupList -b {b} -f {f}/groups.json", Kind.LINES);
        run("setConsumeMode -b {b} -t {t} -g {g} -m PULL -q 0", Kind.LINES);
        run("updateBrokerConfig -b {b} -k traceOn -v true", Kind.LINES);
        run("updateBrokerConfig -b {b} -k brokerConfigPath -v /x", Kind.LINES);
        run("updateNamesrvConfig -k serverAsyncSemaphoreValue -v 64", Kind.LINES);
        run("updateNamesrvConfig -k kvConfigPath -v /x", Kind.LINES);
        run("updateKvConfig -s NS1 -k K1 -v V1", Kind.LINES);
        run("deleteKvConfig -s NS1 -k K1", Kind.LINES);
        run("wipeWritePerm -b broker-a", Kind.LINES);
        run("addWritePerm -b broker-a", Kind.LINES);
        run("cleanExpiredCQ -b {b}", Kind.LINES);
        run("cleanUnusedTopic -c DefaultCluster", Kind.LINES);
        run("deleteExpiredCommitLog -b {b}", Kind.LINES);
        run("setCommitLogReadAheadMode -b {b} -m 0", Kind.LINES);
        run("updateColdDataFlowCtrGroupConfig -b {b} -g {g} -v 1000000", Kind.LINES);
        run("removeColdDataFlowCtrGroupConfig -b {b} -g {g}", Kind.LINES);
        run("exportConfigs -c DefaultCluster -f {f}", Kind.LINES);
        run("exportMetadata -c DefaultCluster -f {f}", Kind.LINES);
        run("exportMetadata -b {b} -t -f {f}", Kind.LINES);
        run("exportMetrics -c DefaultCluster -f {f}", Kind.LINES);
        run("sendMessage -t {t} -p hi -k akey -c TagA", Kind.LINES);
        run("checkMsgSendRT -t {t} -a 3 -s 10", Kind.LINES);
        run("sendMsgStatus -b broker-a -c 2 -s 10", Kind.LINES);
        run("cloneGroupOffset -s {g} -d mqadmin_made -t {t}", Kind.LINES);
        run("resetOffsetByTime -g {g} -t {t} -s 0", Kind.LINES);
        run("resetOffsetByTime -g no_such_group -t {t} -s -1", Kind.LINES);
        run("skipAccumulatedMessage -g {g} -t {t}", Kind.LINES);
        run("deleteSubGroup -c DefaultCluster -g mqadmin_made -r true", Kind.LINES);
        run("deleteTopic -c DefaultCluster -t {m}", Kind.LINES);
        run("getUser -b {b} -u u1", Kind.LINES);
        if (writes) {
            write(file);
        }
        return hasFailed ? 1 : 0;
    }

    /** A topic with messages in each queue, a group that has consumed them and is connected, a producer that is. */
    private static void prepare() throws Exception {
        createTopic(TOPIC, 4, 6);
        createTopic(MADE, 4, 6);
        DefaultMQProducer producer = new DefaultMQProducer(PRODUCERS);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("mqadmin-producer");
        producer.setSendMsgTimeout(PATIENCE_MS);
        producer.start();
        String folder = new File(".").getCanonicalPath();
        for (int i = 0; i < MESSAGES; i++) {
            Message message = new Message(TOPIC, i % 2 == 0 ? "TagA" : "TagB", "key" + i, bytes("body " + i));
            message.setWaitStoreMsgOK(true);
            SendResult result = producer.send(message, new MessageQueue(TOPIC, "broker-a", i % 4));
            if (i == 7) {
                PLACES.put("{i}", result.getMsgId());
                PLACES.put("{o}", result.getOffsetMsgId());
            }
        }
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(GROUP);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("mqadmin-consumer");
        consumer.setMqClientApiTimeout(PATIENCE_MS);
        consumer.setPersistConsumerOffsetInterval(500);
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(TOPIC, "TagA || TagB");
        java.util.concurrent.atomic.AtomicInteger consumed = new java.util.concurrent.atomic.AtomicInteger();
        consumer.registerMessageListener((List<org.apache.rocketmq.common.message.MessageExt> messages,
            org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext context) -> {
            consumed.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        PLACES.put("{c}", consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId());
        PLACES.put("{b}", broker);
        PLACES.put("{t}", TOPIC);
        PLACES.put("{m}", MADE);
        PLACES.put("{g}", GROUP);
        PLACES.put("{p}", PRODUCERS);
        PLACES.put("{f}", folder);
        Files.write(Paths.get(folder, "topics.json"),
            bytes("[{\"topicName\":\"MqadminListed\",\"readQueueNums\":2,\"writeQueueNums\":2,\"perm\":6}]"));
        Files.write(Paths.get(folder, "groups.json"), bytes("[{\"groupName\":\"mqadmin_listed\",\"retryMaxTimes\":2}]"));
        eventually(120, "everything is consumed: " + consumed, () -> consumed.get() >= MESSAGES);
        // The offsets are stored, and the next heartbeats told everyone who is there.
        eventually(120, "the offsets are stored", () -> {
            String[] lines = java("consumerProgress -g " + GROUP).text.split("\n");
            return Arrays.stream(lines).anyMatch(line -> line.equals("Consume Diff Total: 0"));
        });
        // A statistic of a minute has a sum from its second sample on, until the messages are a minute old.
        eventually(80, "the messages are counted", () -> java("statsAll -a").text.contains(TOPIC));
    }

    private static final class Said {
        final String text;
        final String errors;

        Said(String text, String errors) {
            this.text = text;
            this.errors = errors;
        }
    }

    private static void run(String line, Kind kind) throws Exception {
        run(line, kind, null);
    }

    /** Runs a command with both tools; {@code again} makes undone in between what the first has done. */
    private static void run(String line, Kind kind, String again) throws Exception {
        long begin = System.currentTimeMillis();
        String name = line.replaceAll("[^A-Za-z0-9{}]+", "-").replaceAll("[{}]", "");
        Said theirs = java(fill(line));
        if (again != null) {
            java(fill(again));
        }
        Said own = process(fill(line));
        List<String> expected = normal(theirs, kind);
        seen.put(name, expected);
        long took = System.currentTimeMillis() - begin;
        if (!golden.isEmpty()) {
            judge("J-" + name, golden.get(name), expected, took);
        }
        judge("T-" + name, expected, normal(own, kind), took);
    }

    private static void judge(String id, List<String> expected, List<String> found, long took) {
        if (found.equals(expected)) {
            OUT.println("PASS " + id + " " + took + "ms");
            return;
        }
        hasFailed = true;
        if (expected == null) {
            OUT.println("FAIL " + id + " was not recorded");
            return;
        }
        int at = 0;
        while (at < Math.min(expected.size(), found.size()) && expected.get(at).equals(found.get(at))) {
            at++;
        }
        String want = at < expected.size() ? expected.get(at) : "(the end)";
        String have = at < found.size() ? found.get(at) : "(the end)";
        OUT.println("FAIL " + id + " line " + (at + 1) + " of " + expected.size() + " is <" + have + "> where it should be <" + want + ">");
    }

    private static String fill(String line) {
        String filled = line;
        for (Map.Entry<String, String> place : PLACES.entrySet()) {
            filled = filled.replace(place.getKey(), place.getValue());
        }
        return filled;
    }

    private static List<String> words(String line) {
        List<String> words = new ArrayList<>(Arrays.asList(line.split(" ")));
        words.add("-n");
        words.add(namesrv);
        return words;
    }

    private static Said java(String line) throws Exception {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        System.setOut(new PrintStream(text, true, "UTF-8"));
        System.setErr(new PrintStream(errors, true, "UTF-8"));
        try {
            MQAdminStartup.main0(words(line).toArray(new String[0]), null);
        } finally {
            System.setOut(OUT);
            System.setErr(ERR);
        }
        return new Said(text.toString("UTF-8"), errors.toString("UTF-8"));
    }

    private static Said process(String line) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(ours);
        command.addAll(words(line));
        Path errors = Paths.get("mqadmin.err");
        Process process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        check(process.waitFor(120, TimeUnit.SECONDS), line + " ends");
        return new Said(text, new String(Files.readAllBytes(errors), StandardCharsets.UTF_8));
    }

    // ---- what is left when values are gone

    private static List<String> normal(Said said, Kind kind) {
        List<String> lines = new ArrayList<>();
        for (String line : said.text.split("\r?\n")) {
            if (kind == Kind.KEYS) {
                String key = line.startsWith("=") ? "" : line.trim().split("[ :=]+")[line.startsWith("127.0.0.1:") ? 2 : 0];
                if (!key.isEmpty() && !key.matches("commitLogDiskRatio_.*|scheduleMessageOffset_.*|rocketmqHome")) {
                    lines.add(key);
                }
            } else if (kind == Kind.LINES || kind == Kind.SORTED || line.startsWith("#") || line.contains(TOPIC) || line.contains(GROUP) || line.contains(PRODUCERS)) {
                lines.add(value(line));
            }
        }
        while (!lines.isEmpty() && lines.get(lines.size() - 1).isEmpty()) {
            lines.remove(lines.size() - 1);
        }
        if (kind == Kind.SORTED || kind == Kind.KEYS) {
            lines.sort(null);
        }
        Matcher code = CODE.matcher(said.errors);
        if (code.find()) {
            lines.add("refused with " + code.group(1));
        }
        return lines;
    }

    private static String value(String line) {
        String text = line;
        for (Map.Entry<String, String> place : PLACES.entrySet()) {
            if (!place.getKey().matches("\\{[tmgp]}")) {
                text = text.replace(place.getValue(), place.getKey());
            }
        }
        return text
            .replace(namesrv, "{n}")
            .replaceAll("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(,\\d{3})?", "TIME")
            .replaceAll("\\b[0-9A-F]{24,}\\b", "ID")
            .replaceAll("[\\w.]+@\\d+#\\d+", "CLIENT")
            .replaceAll("\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+", "ADDRESS")
            .replaceAll("\\$\\$Lambda\\S*", "Lambda")
            .replaceAll("(?<=[a-z])@[0-9a-f]{1,8}\\b", "@HASH")
            .replaceAll("brokerName=[^,]*, queueId=\\d+, storeSize=\\d+", "brokerName=B, queueId=N, storeSize=N")
            .replaceAll("(?<![A-Za-z_#{])-?\\d+(\\.\\d+)?(E-?\\d+)?(?![A-Za-z_])", "N")
            .replaceAll("\\b\\d+ms\\b", "Nms")
            .replaceAll("\\s+", " ")
            .trim();
    }

    private static void read(Path file) throws Exception {
        List<String> lines = null;
        for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
            if (line.startsWith("$ ")) {
                lines = new ArrayList<>();
                golden.put(line.substring(2), lines);
            } else if (lines != null) {
                lines.add(line);
            }
        }
    }

    private static void write(Path file) throws Exception {
        List<String> lines = new ArrayList<>();
        seen.forEach((name, output) -> {
            lines.add("$ " + name);
            lines.addAll(output);
        });
        Files.write(file, lines, StandardCharsets.UTF_8);
    }
}
