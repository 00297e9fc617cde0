package compat;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** The list of cases. */
public final class Suite {
    /** What a case does; it throws when the case does not hold. */
    public interface Body {
        void run() throws Exception;
    }

    /** RAW: drives the wire, not the official client. ALONE: orders the harness about, so it runs last and by itself. SLOW: over a minute. OWN: needs a cluster of its own kind, so it runs by -own only. */
    public enum Mark { RAW, ALONE, SLOW, OWN }

    /** One case; the id is that of the project's list of conformance cases. */
    public static final class Case {
        private final String id;
        private final Set<Mark> marks;
        private final Body body;

        public Case(String id, Set<Mark> marks, Body body) {
            this.id = id;
            this.marks = marks;
            this.body = body;
        }

        public String id() {
            return id;
        }

        public Set<Mark> marks() {
            return marks;
        }

        public Body body() {
            return body;
        }
    }

    public final List<Case> cases = new ArrayList<>();

    /** A case with the official client. */
    public void add(String id, Body body) {
        add(id, EnumSet.noneOf(Mark.class), body);
    }

    /** A case of hand-made frames. */
    public void raw(String id, Body body) {
        add(id, EnumSet.of(Mark.RAW), body);
    }

    public void add(String id, Set<Mark> marks, Body body) {
        if (cases.stream().anyMatch(other -> other.id.equals(id))) {
            throw new IllegalArgumentException(id + " twice");
        }
        cases.add(new Case(id, marks, body));
    }
}
