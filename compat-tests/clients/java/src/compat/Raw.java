package compat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One connection that says exactly what a case wants said, where the official client would refuse first.
 * Headers are written in the codec that the system property rocketmq.serialize.type names, as the official client does.
 */
final class Raw implements AutoCloseable {
    /** An answer, or a request that the server made. */
    static final class Frame {
        private final int code;
        private final int opaque;
        private final int flag;
        private final String remark;
        private final Map<String, String> ext;
        private final byte[] body;
        private final int codec;
        private final long nanos;

        Frame(int code, int opaque, int flag, String remark, Map<String, String> ext, byte[] body, int codec, long nanos) {
            this.code = code;
            this.opaque = opaque;
            this.flag = flag;
            this.remark = remark;
            this.ext = ext;
            this.body = body;
            this.codec = codec;
            this.nanos = nanos;
        }

        int code() {
            return code;
        }

        int opaque() {
            return opaque;
        }

        int flag() {
            return flag;
        }

        String remark() {
            return remark;
        }

        Map<String, String> ext() {
            return ext;
        }

        byte[] body() {
            return body;
        }

        int codec() {
            return codec;
        }

        long nanos() {
            return nanos;
        }

        @Override
        public String toString() {
            return "code " + code + " remark " + remark + " ext " + ext + " body " + (body == null ? 0 : body.length) + " bytes";
        }

        long number(String field) {
            String value = ext.get(field);
            if (value == null) {
                throw new AssertionError("field " + field + " is missing: " + this);
            }
            return Long.parseLong(value);
        }
    }

    static final boolean BINARY = "ROCKETMQ".equals(System.getProperty("rocketmq.serialize.type"));
    private static final int JAVA = 0;
    private static final int VERSION = 513;

    private final Socket socket = new Socket();
    private final DataOutputStream out;
    private final Map<Integer, CompletableFuture<Frame>> waiting = new ConcurrentHashMap<>();
    /** What the server asked this connection. */
    final LinkedBlockingQueue<Frame> requests = new LinkedBlockingQueue<>();
    private final AtomicInteger opaque = new AtomicInteger(7000);

    Raw(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        socket.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))), Env.PATIENCE_MS);
        socket.setTcpNoDelay(true);
        out = new DataOutputStream(socket.getOutputStream());
        Thread reader = new Thread(this::read, "raw-reader");
        reader.setDaemon(true);
        reader.start();
    }

    Frame call(int code, Map<String, ?> ext) throws Exception {
        return call(code, ext, null);
    }

    Frame call(int code, Map<String, ?> ext, byte[] body) throws Exception {
        return send(code, ext, body).get(Env.PATIENCE_MS, TimeUnit.MILLISECONDS);
    }

    /** Sends without waiting. */
    CompletableFuture<Frame> send(int code, Map<String, ?> ext, byte[] body) throws IOException {
        int id = opaque.incrementAndGet();
        CompletableFuture<Frame> answer = new CompletableFuture<>();
        waiting.put(id, answer);
        write(code, id, 0, ext, body);
        return answer;
    }

    /** One-way: the answer, if one came against the rule, completes the future. */
    CompletableFuture<Frame> oneway(int code, Map<String, ?> ext, byte[] body) throws IOException {
        int id = opaque.incrementAndGet();
        CompletableFuture<Frame> answer = new CompletableFuture<>();
        waiting.put(id, answer);
        write(code, id, 2, ext, body);
        return answer;
    }

    static boolean answered(CompletableFuture<Frame> answer, long millis) throws Exception {
        try {
            answer.get(millis, TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        }
    }

    private synchronized void write(int code, int id, int flag, Map<String, ?> ext, byte[] body) throws IOException {
        Map<String, String> fields = new LinkedHashMap<>();
        ext.forEach((key, value) -> {
            if (value != null) {
                fields.put(key, value.toString());
            }
        });
        byte[] header = BINARY && code <= Short.MAX_VALUE ? binaryHeader(code, id, flag, fields) : jsonHeader(code, id, flag, fields);
        int codec = BINARY && code <= Short.MAX_VALUE ? 1 : 0;
        ByteBuffer frame = ByteBuffer.allocate(8 + header.length + (body == null ? 0 : body.length));
        frame.putInt(frame.capacity() - 4).putInt(codec << 24 | header.length).put(header);
        if (body != null) {
            frame.put(body);
        }
        out.write(frame.array());
        out.flush();
    }

    private static byte[] jsonHeader(int code, int id, int flag, Map<String, String> fields) {
        Map<String, Object> header = new LinkedHashMap<>();
        header.put("code", code);
        header.put("extFields", fields);
        header.put("flag", flag);
        header.put("language", "JAVA");
        header.put("opaque", id);
        header.put("serializeTypeCurrentRPC", "JSON");
        header.put("version", VERSION);
        return Json.write(header).getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] binaryHeader(int code, int id, int flag, Map<String, String> fields) throws IOException {
        ByteArrayOutputStream pairs = new ByteArrayOutputStream();
        DataOutputStream pair = new DataOutputStream(pairs);
        for (Map.Entry<String, String> field : fields.entrySet()) {
            byte[] key = field.getKey().getBytes(StandardCharsets.UTF_8);
            byte[] value = field.getValue().getBytes(StandardCharsets.UTF_8);
            pair.writeShort(key.length);
            pair.write(key);
            pair.writeInt(value.length);
            pair.write(value);
        }
        ByteBuffer header = ByteBuffer.allocate(21 + pairs.size());
        header.putShort((short) code).put((byte) JAVA).putShort((short) VERSION).putInt(id).putInt(flag).putInt(0);
        return header.putInt(pairs.size()).put(pairs.toByteArray()).array();
    }

    private void read() {
        try (DataInputStream in = new DataInputStream(socket.getInputStream())) {
            while (true) {
                byte[] bytes = new byte[in.readInt()];
                in.readFully(bytes);
                Frame frame = parse(ByteBuffer.wrap(bytes));
                CompletableFuture<Frame> answer = (frame.flag & 1) == 1 ? waiting.remove(frame.opaque) : null;
                if (answer != null) {
                    answer.complete(frame);
                } else {
                    requests.add(frame);
                }
            }
        } catch (IOException e) {
            waiting.values().forEach(answer -> answer.completeExceptionally(e));
        } catch (RuntimeException e) {
            waiting.values().forEach(answer -> answer.completeExceptionally(e));
            throw e;
        }
    }

    @SuppressWarnings("unchecked")
    private static Frame parse(ByteBuffer in) {
        int mark = in.getInt();
        byte[] headerBytes = new byte[mark & 0xffffff];
        in.get(headerBytes);
        byte[] body = in.hasRemaining() ? new byte[in.remaining()] : null;
        if (body != null) {
            in.get(body);
        }
        Map<String, String> ext = new LinkedHashMap<>();
        long now = System.nanoTime();
        if (mark >>> 24 == 0) {
            Map<String, Object> header = (Map<String, Object>) Json.parse(new String(headerBytes, StandardCharsets.UTF_8));
            if (header.get("extFields") instanceof Map) {
                ((Map<?, ?>) header.get("extFields")).forEach((key, value) -> ext.put(key.toString(), (String) value));
            }
            return new Frame(number(header, "code"), number(header, "opaque"), number(header, "flag"),
                (String) header.get("remark"), ext, body, 0, now);
        }
        ByteBuffer header = ByteBuffer.wrap(headerBytes);
        int code = header.getShort();
        header.get();
        header.getShort();
        int opaque = header.getInt();
        int flag = header.getInt();
        String remark = text(header, header.getInt());
        int end = header.getInt() + header.position();
        while (header.position() < end) {
            String key = text(header, header.getShort());
            ext.put(key, text(header, header.getInt()));
        }
        return new Frame(code, opaque, flag, remark, ext, body, 1, now);
    }

    private static int number(Map<String, Object> header, String key) {
        return ((Number) header.get(key)).intValue();
    }

    private static String text(ByteBuffer in, int length) {
        byte[] bytes = new byte[length];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
