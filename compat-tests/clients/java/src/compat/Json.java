package compat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON and the dialect the reference writes into bodies: bare number keys, objects as keys. Writes plain JSON. */
final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.blanks();
        if (json.at != text.length()) {
            throw json.wrong("end");
        }
        return value;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(byte[] body) {
        return (Map<String, Object>) parse(new String(body, java.nio.charset.StandardCharsets.UTF_8));
    }

    static String write(Object value) {
        if (value instanceof Map) {
            Map<?, ?> map = (Map<?, ?>) value;
            List<String> parts = new ArrayList<>();
            map.forEach((key, part) -> {
                if (part != null) {
                    parts.add(write(key.toString()) + ":" + write(part));
                }
            });
            return "{" + String.join(",", parts) + "}";
        }
        if (value instanceof Iterable) {
            List<String> parts = new ArrayList<>();
            ((Iterable<?>) value).forEach(part -> parts.add(write(part)));
            return "[" + String.join(",", parts) + "]";
        }
        if (value instanceof String) {
            StringBuilder out = new StringBuilder("\"");
            for (char c : ((String) value).toCharArray()) {
                out.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
            }
            return out.append('"').toString();
        }
        return String.valueOf(value);
    }

    private Object value() {
        blanks();
        char c = peek();
        if (c == '{') {
            return members();
        }
        if (c == '[') {
            at++;
            List<Object> list = new ArrayList<>();
            while (!ends(']')) {
                list.add(value());
                ends(',');
            }
            return list;
        }
        if (c == '"') {
            return string();
        }
        int start = at;
        while (at < text.length() && ",:]}".indexOf(text.charAt(at)) < 0 && !Character.isWhitespace(text.charAt(at))) {
            at++;
        }
        String word = text.substring(start, at);
        switch (word) {
            case "true":
                return true;
            case "false":
                return false;
            case "null":
                return null;
            default:
                try {
                    return Long.parseLong(word);
                } catch (NumberFormatException e) {
                    return Double.parseDouble(word);
                }
        }
    }

    private Map<String, Object> members() {
        at++;
        Map<String, Object> map = new LinkedHashMap<>();
        while (!ends('}')) {
            blanks();
            int start = at;
            Object key = value();
            // An object key is kept as its text.
            String name = key instanceof String ? (String) key : text.substring(start, at).trim();
            if (!ends(':')) {
                throw wrong(":");
            }
            map.put(name, value());
            ends(',');
        }
        return map;
    }

    private String string() {
        StringBuilder out = new StringBuilder();
        for (at++; peek() != '"'; at++) {
            char c = peek();
            if (c == '\\') {
                at++;
                c = peek();
                switch (c) {
                    case 'u':
                        out.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                        at += 4;
                        continue;
                    case 'n':
                        c = '\n';
                        break;
                    case 't':
                        c = '\t';
                        break;
                    case 'r':
                        c = '\r';
                        break;
                    case 'b':
                        c = '\b';
                        break;
                    case 'f':
                        c = '\f';
                        break;
                    default:
                        break;
                }
            }
            out.append(c);
        }
        at++;
        return out.toString();
    }

    private boolean ends(char c) {
        blanks();
        if (peek() == c) {
            at++;
            return true;
        }
        return false;
    }

    private void blanks() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw wrong("more");
        }
        return text.charAt(at);
    }

    private IllegalStateException wrong(String expected) {
        return new IllegalStateException("JSON: " + expected + " expected at " + at + " of " + text);
    }
}
