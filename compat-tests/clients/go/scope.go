package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// target is the cluster under test.
type target struct {
	nameServers []string
	broker      string
	run         string
	instances   atomic.Int64
	// steps counts how often this program has come by.
	steps atomic.Int64
	// stalls counts the seconds in which it did not come by at all, because the machine stood still.
	stalls atomic.Int64
	// creating is held while a topic is created.
	creating sync.Mutex
}

func newTarget(nameServers []string, broker string) *target {
	made := &target{nameServers: nameServers, broker: broker, run: strconv.FormatInt(time.Now().UnixMilli(), 36)}
	go func() {
		for last := time.Now(); ; {
			time.Sleep(step)
			made.steps.Add(1)
			made.stalls.Add(int64(time.Since(last) / time.Second))
			last = time.Now()
		}
	}()
	return made
}

// patience is how long a case waits for what must come. What must come soon has a bound of its own, by ran.
const patience = 120 * time.Second

// step is the unit of ran.
const step = 20 * time.Millisecond

// ran is a time that goes on while this program does: on a machine that is slow or stands still for a while it is slower.
func (t *target) ran() time.Duration { return time.Duration(t.steps.Load()) * step }

// instance names a client: two clients of one process with the same name would share connection and client id.
func (t *target) instance() string {
	return fmt.Sprintf("go-%s-%d", t.run, t.instances.Add(1))
}

func (t *target) resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver(t.nameServers)
}

// breathe lets the client end what it is about: a listener that has just taken a message is still to say so.
func (t *target) breathe() {
	for end := t.ran() + 10*step; t.ran() < end; {
		time.Sleep(step)
	}
}

// Groups of cases: the core ones end within the default limit.
const (
	groupCore = "core"
	// groupSlow runs for more than a minute: give it -limit 130s.
	groupSlow = "slow"
)

type testCase struct {
	id    string
	group string
	title string
	body  func(*scope)
}

// failure is what scope.failf throws and execute turns into the case's error.
type failure struct {
	text string
	// gaveUp tells that the client had waited for an answer for as long as it does.
	gaveUp bool
}

func (f failure) Error() string { return f.text }

// execute runs the case. The client waits for an answer for three seconds, whatever one tells it: when the machine stood
// still meanwhile and the client gave up, the case begins anew.
func (one testCase) execute(target *target, limit time.Duration) error {
	for id := one.id; ; id += "again" {
		stalls := target.stalls.Load()
		err := one.executeOnce(target, id, limit)
		known, ok := err.(failure)
		if !ok || !known.gaveUp || target.stalls.Load() < stalls+2 || len(id) > len(one.id)+10 {
			return err
		}
		fmt.Printf("NOTE %s the machine stood still, and the client gave up: %v\n", one.id, err)
	}
}

// executeOnce runs the case, closes its clients, and turns failures, panics and the time limit into an error.
func (one testCase) executeOnce(target *target, id string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	outcome := make(chan error, 1)
	go func() {
		s := &scope{target: target, id: id, ctx: ctx}
		outcome <- s.run(one.body)
	}()
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
	}
	// Waits end with the context, so the case normally reports in a moment what it was waiting for.
	select {
	case err := <-outcome:
		return err
	case <-time.After(3 * time.Second):
		return failure{text: fmt.Sprintf("still busy after %s", limit)}
	}
}

// scope is one running case: names of its own, clients that are closed at its end, and assertions.
type scope struct {
	*target
	id      string
	ctx     context.Context
	cleanup []func()
}

func (s *scope) run(body func(*scope)) (err error) {
	defer func() {
		for i := len(s.cleanup) - 1; i >= 0; i-- {
			s.cleanup[i]()
		}
	}()
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case failure:
			err = thrown
		default:
			err = fmt.Errorf("panic: %v %s", thrown, debug.Stack())
		}
	}()
	body(s)
	return nil
}

func (s *scope) onEnd(f func()) { s.cleanup = append(s.cleanup, f) }

func (s *scope) failf(format string, args ...any) { panic(failure{text: fmt.Sprintf(format, args...)}) }

// must ends the case when err is not nil; what says what was being done.
func (s *scope) must(err error, what string) {
	if err != nil {
		panic(failure{text: fmt.Sprintf("%s: %v", what, err), gaveUp: hasGivenUp(err)})
	}
}

// hasGivenUp tells whether the client had waited for an answer for as long as it does.
func hasGivenUp(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout")
}

// equal ends the case when got differs from want.
func equal[T comparable](s *scope, what string, got, want T) {
	if got != want {
		s.failf("%s: expected %v, got %v", what, want, got)
	}
}

// name makes a topic or group name of this case and run.
func (s *scope) name(part string) string {
	return strings.Join([]string{"go", s.id, part, s.target.run}, "_")
}

// await polls the condition, for facts that the client offers no event for (routes, lists of the broker).
func (s *scope) await(what string, limit time.Duration, condition func() (bool, string)) {
	deadline := time.Now().Add(limit)
	last := ""
	for {
		met, seen := condition()
		if met {
			return
		}
		last = seen
		if time.Now().After(deadline) || s.ctx.Err() != nil {
			s.failf("not within %s: %s; last seen: %s", limit, what, last)
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// admin opens an admin client of the case.
func (s *scope) admin() admin.Admin {
	client, err := admin.NewAdmin(admin.WithResolver(s.resolver()))
	s.must(err, "open the admin client")
	s.onEnd(func() { _ = client.Close() })
	return client
}

// writableQueues asks the name server for the queues a producer would use; nil when there is no route.
func (s *scope) writableQueues(client admin.Admin, topic string) []*primitive.MessageQueue {
	queues, err := client.FetchPublishMessageQueues(s.ctx, topic)
	if err != nil {
		return nil
	}
	return queues
}

// awaitRoute waits until the name server knows the topic with so many writable queues.
func (s *scope) awaitRoute(client admin.Admin, topic string, count int) {
	s.await(fmt.Sprintf("topic %s has %d writable queues", topic, count), patience, func() (bool, string) {
		found := s.writableQueues(client, topic)
		return len(found) == count, fmt.Sprintf("%d queues", len(found))
	})
}

// createTopic creates the topic with so many queues and waits for its route. One at a time, and again when it does not
// show: of two registrations at the same moment the reference's name server may take only one.
func (s *scope) createTopic(topic string, queues int, options ...admin.OptionCreate) {
	client := s.admin()
	every := append([]admin.OptionCreate{
		admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(s.broker),
		admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues),
	}, options...)
	s.creating.Lock()
	defer s.creating.Unlock()
	s.await("topic "+topic+" is created", patience, func() (bool, string) {
		// The client waits for five seconds only.
		err := client.CreateTopic(s.ctx, every...)
		return err == nil, fmt.Sprint(err)
	})
	created := time.Now()
	s.await(fmt.Sprintf("topic %s has %d writable queues", topic, queues), patience, func() (bool, string) {
		found := s.writableQueues(client, topic)
		if len(found) != queues && time.Since(created) > 3*time.Second {
			fmt.Printf("NOTE %s the name server missed a registration: topic %s is created again\n", s.id, topic)
			_ = client.CreateTopic(s.ctx, every...)
			created = time.Now()
		}
		return len(found) == queues, fmt.Sprintf("%d queues", len(found))
	})
}

// topic creates a topic of the case.
func (s *scope) topic(queues int) string {
	topic := s.name("t")
	s.createTopic(topic, queues)
	return topic
}

// group names a consumer group and creates its retry topic. A Go consumer looks for the route of the retry topic when it
// starts, before its first heartbeat makes the broker create it, and then again only every 30 s; GR12 shows that.
func (s *scope) group(part string) string {
	group := s.name(part)
	s.createTopic("%RETRY%"+group, 1)
	return group
}

// producer starts a producer of the case. Sends are tried once, so that an error is seen as it came.
func (s *scope) producer(options ...producer.Option) rocketmq.Producer {
	all := append([]producer.Option{
		producer.WithNsResolver(s.resolver()), producer.WithInstanceName(s.instance()),
		producer.WithGroupName(s.name("p")), producer.WithRetry(0), producer.WithSendMsgTimeout(patience),
	}, options...)
	made, err := rocketmq.NewProducer(all...)
	s.must(err, "make a producer")
	s.must(made.Start(), "start a producer")
	s.onEnd(func() { _ = made.Shutdown() })
	return made
}

// manual makes a producer that sends to the queue named in each message.
func (s *scope) manual() rocketmq.Producer {
	return s.producer(producer.WithQueueSelector(producer.NewManualQueueSelector()))
}

// queueOf names one queue of the topic on the only broker of the cluster.
func (s *scope) queueOf(topic string, id int) *primitive.MessageQueue {
	for _, queue := range s.writableQueues(s.admin(), topic) {
		if queue.QueueId == id {
			return queue
		}
	}
	s.failf("topic %s has no queue %d", topic, id)
	return nil
}

// send sends one message (or a batch) and insists on SEND_OK.
func (s *scope) send(from rocketmq.Producer, messages ...*primitive.Message) *primitive.SendResult {
	result, err := from.SendSync(s.ctx, messages...)
	s.must(err, "send to "+messages[0].Topic)
	equal(s, "send status", result.Status, primitive.SendOK)
	return result
}

// sendBodies sends numbered text bodies "<prefix><i>" for i in [from, to).
func (s *scope) sendBodies(with rocketmq.Producer, topic, prefix string, from, to int) {
	for i := from; i < to; i++ {
		s.send(with, primitive.NewMessage(topic, []byte(prefix+strconv.Itoa(i))))
	}
}

// handler is what a push consumer runs per batch.
type handler = func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

// all is the selector that takes every message.
var all = consumer.MessageSelector{}

// tags is a selector by tag expression.
func tags(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}

// push starts a push consumer that reads new groups from the first message; later options override.
func (s *scope) push(group, topic string, selector consumer.MessageSelector, handle handler, options ...consumer.Option) rocketmq.PushConsumer {
	for tries := 1; ; tries++ {
		made := s.newPush(group, options...)
		s.must(made.Subscribe(topic, selector, handle), "subscribe "+topic)
		err := made.Start()
		// The client waits for routes for a few seconds only.
		if err == nil || tries == 3 {
			s.must(err, "start consumer of "+group)
			return made
		}
	}
}

// newPush makes a push consumer that is not started; it is shut down when the case ends.
func (s *scope) newPush(group string, options ...consumer.Option) rocketmq.PushConsumer {
	every := append([]consumer.Option{
		consumer.WithNsResolver(s.resolver()), consumer.WithInstance(s.instance()), consumer.WithGroupName(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, options...)
	made, err := rocketmq.NewPushConsumer(every...)
	s.must(err, "make a push consumer")
	s.onEnd(func() { _ = made.Shutdown() })
	return made
}

// pull starts a pull consumer on the topic.
func (s *scope) pull(group, topic string, options ...consumer.Option) rocketmq.PullConsumer {
	every := append([]consumer.Option{
		consumer.WithNsResolver(s.resolver()), consumer.WithInstance(s.instance()), consumer.WithGroupName(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, options...)
	made, err := rocketmq.NewPullConsumer(every...)
	s.must(err, "make a pull consumer")
	s.must(made.Subscribe(topic, all), "subscribe "+topic)
	s.must(made.Start(), "start pull consumer of "+group)
	s.onEnd(func() { _ = made.Shutdown() })
	return made
}

// arrival is one delivery, copied at the moment it happened: the client changes messages afterwards.
type arrival struct {
	body       string
	topic      string
	queue      int
	offset     int64
	reconsumed int32
	at         time.Time
	properties map[string]string
	message    *primitive.MessageExt
}

// inbox gathers deliveries and wakes who waits for them.
type inbox struct {
	lock    sync.Mutex
	seen    []arrival
	changed chan struct{}
}

func newInbox() *inbox { return &inbox{changed: make(chan struct{})} }

func (b *inbox) put(messages ...*primitive.MessageExt) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, m := range messages {
		one := arrival{body: string(m.Body), topic: m.Topic, queue: -1, offset: m.QueueOffset, reconsumed: m.ReconsumeTimes,
			at: time.Now(), properties: m.GetProperties(), message: m}
		if m.Queue != nil {
			one.queue = m.Queue.QueueId
		}
		b.seen = append(b.seen, one)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// accept is a handler that takes everything.
func (b *inbox) accept(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	b.put(messages...)
	return consumer.ConsumeSuccess, nil
}

func (b *inbox) snapshot() ([]arrival, chan struct{}) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return append([]arrival(nil), b.seen...), b.changed
}

// await waits until the condition holds for what has arrived and returns it.
func (b *inbox) await(s *scope, what string, limit time.Duration, condition func([]arrival) bool) []arrival {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		seen, changed := b.snapshot()
		if condition(seen) {
			return seen
		}
		select {
		case <-changed:
		case <-timer.C:
			s.failf("not within %s: %s; arrived: %s", limit, what, describe(seen))
		case <-s.ctx.Done():
			s.failf("time is up, waiting for: %s; arrived: %s", what, describe(seen))
		}
	}
}

// awaitBodies waits until every one of the bodies has arrived at least once.
func (b *inbox) awaitBodies(s *scope, limit time.Duration, bodies ...string) []arrival {
	return b.await(s, fmt.Sprintf("%d bodies such as %q", len(bodies), bodies[0]), limit, func(seen []arrival) bool {
		missing := make(map[string]bool, len(bodies))
		for _, body := range bodies {
			missing[body] = true
		}
		for _, one := range seen {
			delete(missing, one.body)
		}
		return len(missing) == 0
	})
}

// counts maps each body to how often it arrived.
func counts(seen []arrival) map[string]int {
	result := make(map[string]int)
	for _, one := range seen {
		result[one.body]++
	}
	return result
}

// onceEach fails unless exactly these bodies arrived, each once.
func onceEach(s *scope, seen []arrival, bodies ...string) {
	got := counts(seen)
	for _, body := range bodies {
		equal(s, "deliveries of "+body, got[body], 1)
		delete(got, body)
	}
	if len(got) > 0 {
		s.failf("unexpected deliveries: %v", got)
	}
}

// numbered is "<prefix><i>" for i in [from, to).
func numbered(prefix string, from, to int) []string {
	var bodies []string
	for i := from; i < to; i++ {
		bodies = append(bodies, prefix+strconv.Itoa(i))
	}
	return bodies
}

func describe(seen []arrival) string {
	var parts []string
	for i, one := range seen {
		if i == 20 {
			parts = append(parts, fmt.Sprintf("and %d more", len(seen)-i))
			break
		}
		body := one.body
		if len(body) > 24 {
			body = body[:24] + "..."
		}
		parts = append(parts, fmt.Sprintf("%q q%d@%d r%d", body, one.queue, one.offset, one.reconsumed))
	}
	return fmt.Sprintf("%d %v", len(seen), parts)
}
