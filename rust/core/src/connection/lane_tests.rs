//! What a lane does when its server changes its address, when it takes no more, and when a bug of ours makes its task
//! panic.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::connection::numbered_queue::take_visits;
use crate::connection::transport::tests::{config, let_names_mean};
use crate::model::completion::{Completion, Completions, Outcome, ReplyTo};
use crate::model::config::{ConnectionConfig, Deadlines, Opening, Stream, Transport};
use crate::model::error::Kind;
use crate::model::request::{Packer, Request};
use crate::model::route::Route;
use crate::model::script::{Options, Script};

const BOUND: Duration = Duration::from_secs(10);

/// Runs a test with a time limit: it hangs if the lane does not do what it waits for.
async fn bounded(work: impl Future<Output = ()>) {
    timeout(6 * BOUND, LocalSet::new().run_until(work)).await.expect("the lane does what is waited for");
}

/// Ends each call that the lane hands back, and panics if a test asks for it.
#[derive(Default)]
struct Clumsy {
    panics_on_errors: bool,
    panics_on_losses: Cell<u32>,
    rests: Cell<u32>,
}

impl LaneEvents for Clumsy {
    fn at_rest(&self, _commands: usize) {
        self.rests.update(|rests| rests + 1);
    }

    fn unfinished(&self, _lane: &Rc<Lane>, call: Call, unfinished: Unfinished, _place: Option<Place>) {
        let error = match unfinished {
            Unfinished::Answered(_) => {
                assert!(!self.panics_on_errors, "provoked by the test");
                Error::new(Kind::Request, "answered")
            }
            Unfinished::Unsent => Error::new(Kind::Request, "unsent"),
            Unfinished::CutOff(..) => Error::new(Kind::Request, "cut off"),
            Unfinished::Lost(reason) => Error::lost(reason),
        };
        call.reply_to.finish(Err(Box::new(error)));
    }

    fn stalled(&self, _lane: &Rc<Lane>) {}

    fn disconnected(&self, _lane: &Rc<Lane>) {
        let left = self.panics_on_losses.get();
        self.panics_on_losses.set(left.saturating_sub(1));
        assert_eq!(left, 0, "provoked by the test");
    }
}

fn lane(owner: &Rc<Clumsy>) -> Rc<Lane> {
    lane_with(owner, config())
}

fn lane_with(owner: &Rc<Clumsy>, config: ConnectionConfig) -> Rc<Lane> {
    let owner: Rc<dyn LaneEvents> = owner.clone();
    let address = Address::new("server.example", 1);
    Lane::new(address, Arc::new(config), Purpose::Data, Rc::downgrade(&owner), Arc::default())
}

fn submit(lane: &Rc<Lane>, word: &str, within: Duration) -> oneshot::Receiver<Completion> {
    let (reply_to, outcome) = ReplyTo::task();
    submit_for(lane, word, within, reply_to);
    outcome
}

fn submit_for(lane: &Rc<Lane>, word: &str, within: Duration, reply_to: ReplyTo) {
    let deadline = Instant::now() + within;
    lane.submit(Call { request: command(word), route: Route::Any, timeout: within, deadline, reply_to });
}

fn command(word: &str) -> Request {
    let mut packer = Packer::command(1);
    packer.word(word.as_bytes());
    packer.finish(false)
}

async fn outcome(receiver: oneshot::Receiver<Completion>) -> Outcome {
    let completion = timeout(BOUND, receiver).await.expect("no call hangs").expect("every call has an outcome");
    completion.into_call().expect("it is no batch")
}

async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let_names_mean(vec![listener.local_addr().expect("its address")]);
    listener
}

/// Accepts a connection, and answers its first commands.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("a client");
    greet(&mut stream).await;
    stream
}

/// Answers the first commands of a connection.
async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    hear(stream, "LIB-VER").await;
    stream.write_all(b"+PONG\r\n+OK\r\n+OK\r\n").await.expect("a client that listens");
}

/// Reads until something was said.
async fn hear(stream: &mut (impl AsyncRead + Unpin), word: &str) {
    let mut heard = Vec::with_capacity(1 << 20);
    while memchr::memmem::find(&heard, word.as_bytes()).is_none() {
        // Keep only what may be the beginning of the word.
        heard.drain(..heard.len().saturating_sub(word.len()));
        assert_ne!(stream.read_buf(&mut heard).await.expect("a client"), 0, "the client is gone");
    }
}

#[tokio::test]
async fn nothing_is_written_to_an_idle_connection_that_the_server_has_ended() {
    let owner = Rc::default();
    bounded(async {
        let (listener, lane) = (listen().await, lane(&owner));
        lane.start();
        let stream = accept(&listener).await;
        // Longer than between calls that follow each other at once.
        while !lane.is_up() || lane.liveness.heard_at.get().elapsed() < Duration::from_millis(2) {
            tokio::task::yield_now().await;
        }
        // The system knows that it has ended, and the runtime could not ask yet.
        drop(stream);
        let asked = submit(&lane, "WHO", BOUND);
        let mut stream = accept(&listener).await;
        hear(&mut stream, "WHO").await;
        stream.write_all(b":1\r\n").await.expect("a client that listens");
        assert_eq!(outcome(asked).await.expect("a reply").as_int(), Some(1));
    })
    .await;
}

#[tokio::test]
async fn a_name_is_looked_up_anew_for_each_connection() {
    let serve = async |answer: &'static [u8], lane: &Rc<Lane>| {
        let listener = listen().await;
        lane.start();
        let mut stream = accept(&listener).await;
        let asked = submit(lane, "WHO", BOUND);
        hear(&mut stream, "WHO").await;
        stream.write_all(answer).await.expect("a client that listens");
        outcome(asked).await.expect("a reply").as_int()
        // The server goes, and with it its address.
    };
    let owner = Rc::default();
    let work = async {
        let lane = lane(&owner);
        assert_eq!(serve(b":1\r\n", &lane).await, Some(1));
        assert_eq!(serve(b":2\r\n", &lane).await, Some(2));
    };
    bounded(work).await;
}

#[tokio::test]
async fn the_owner_learns_when_nothing_is_in_flight_any_more() {
    let owner = Rc::new(Clumsy::default());
    let work = async {
        let listener = listen().await;
        let lane = lane(&owner);
        let (first, second) = (submit(&lane, "FIRST", BOUND), submit(&lane, "SECOND", BOUND));
        let mut server = accept(&listener).await;
        hear(&mut server, "SECOND").await;
        server.write_all(b":1\r\n").await.expect("a client that listens");
        outcome(first).await.expect("a reply");
        assert_eq!(owner.rests.get(), 0, "the second call has no reply");
        server.write_all(b":2\r\n").await.expect("a client that listens");
        outcome(second).await.expect("a reply");
        assert_eq!(owner.rests.get(), 1);
        lane.close();
    };
    bounded(work).await;
}

#[tokio::test]
async fn after_a_panic_each_call_ends_as_is_known_of_it_and_the_lane_goes_on() {
    let owner = Rc::new(Clumsy { panics_on_errors: true, ..Clumsy::default() });
    let work = async {
        let listener = listen().await;
        let lane = lane(&owner);
        let progress = Rc::default();
        let hit = submit(&lane, "HIT", BOUND);
        let written = submit(&lane, "WRITTEN", BOUND);
        let step = lane.begin(vec![Bytes::from_static(b"*1\r\n$4\r\nSTEP\r\n")], StepOptions::default(), &progress);
        let mut first = accept(&listener).await;
        hear(&mut first, "STEP").await;
        // More than the socket takes: most of it is never written.
        let large = submit(&lane, &"x".repeat(32 << 20), BOUND);
        let unwritten = submit(&lane, "UNWRITTEN", BOUND);
        first.write_all(b"-ERR provoked\r\n").await.expect("a client that listens");

        let error = outcome(hit).await.expect_err("a bug was met");
        assert!(error.may_have_executed && error.to_string().contains("a bug in glide_scripts"), "{error}");
        let error = outcome(written).await.expect_err("its connection is gone");
        assert_eq!((error.kind, error.may_have_executed), (Kind::Connection, true));
        assert!(error.to_string().contains("a bug in glide_scripts"), "{error}");
        assert!(matches!(step.await, Err(Unfinished::Lost(_))));
        // The server may not take so much, so it gives up its place.
        let error = outcome(large).await.expect_err("its connection is gone");
        assert_eq!((error.to_string().as_str(), error.may_have_executed), ("cut off", false));
        // This waits for the next connection.
        let mut second = accept(&listener).await;
        hear(&mut second, "UNWRITTEN").await;
        second.write_all(b":1\r\n").await.expect("a client that listens");
        assert_eq!(outcome(unwritten).await.expect("a reply").as_int(), Some(1));
        lane.close();
    };
    bounded(work).await;
}

#[tokio::test]
async fn a_reply_that_came_before_the_connection_broke_is_read_although_nothing_can_be_written() {
    let owner = Rc::new(Clumsy::default());
    let work = async {
        let listener = listen().await;
        let lane = lane(&owner);
        // More than the socket takes, and not so much that the call gives up its place.
        let refused: Vec<_> = (0..64).map(|_| submit(&lane, &"x".repeat(1 << 19), BOUND)).collect();
        let mut first = accept(&listener).await;
        hear(&mut first, "xxxx").await;
        // The server refuses it, and closes the connection with unread bytes, which resets it.
        first.write_all(b"-ERR Protocol error: invalid bulk length\r\n").await.expect("a client that listens");
        drop(first);
        let error = outcome(refused.into_iter().next().expect("a call")).await.expect_err("it is refused");
        assert_eq!(error.to_string(), "answered");
        lane.close();
    };
    bounded(work).await;
}

#[tokio::test]
async fn after_a_panic_between_connections_calls_have_their_deadlines_and_a_new_connection() {
    let owner = Rc::new(Clumsy { panics_on_losses: Cell::new(2), ..Clumsy::default() });
    let work = async {
        let lane = lane(&owner);
        let nobody: SocketAddr = ([127, 0, 0, 1], 1).into();
        let_names_mean(vec![nobody]);
        let overdue = submit(&lane, "LATE", Duration::from_millis(100));
        let waiting = submit(&lane, "WAITING", BOUND);
        let error = outcome(overdue).await.expect_err("there is no server");
        assert_eq!((error.kind, error.may_have_executed), (Kind::Timeout, false));
        while owner.panics_on_losses.get() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let listener = listen().await;
        let mut stream = accept(&listener).await;
        hear(&mut stream, "WAITING").await;
        stream.write_all(b":1\r\n").await.expect("a client that listens");
        assert_eq!(outcome(waiting).await.expect("a reply").as_int(), Some(1));
        lane.close();
    };
    bounded(work).await;
}

/// How many bytes a stalled stream takes: less than the requests of a test, and only a part of the last one.
const TAKEN: usize = (6 << 20) + 500;

/// A number of requests that does not fit into a stalled stream and the output before it.
const MANY: usize = 20_000;

/// The word of a request, by its number.
fn numbered(number: usize) -> String {
    format!("<{number}>{:1000}", "")
}

/// Makes streams that accept `TAKEN` bytes, and no more until they are read. The size of a real socket's buffer depends
/// on the kernel and changes.
#[derive(Debug)]
struct Pipes(mpsc::UnboundedSender<DuplexStream>);

impl Transport for Pipes {
    fn open<'a>(&'a self, _address: &'a Address, _config: &'a ConnectionConfig) -> Opening<'a> {
        let (client, server) = duplex(TAKEN);
        self.0.send(server).expect("the test accepts connections");
        Box::pin(async { Ok(Box::new(client) as Box<dyn Stream>) })
    }
}

impl Stream for DuplexStream {}

/// A lane whose server has stopped reading, with the requests that `put` queues; and the server's end.
async fn stalled(owner: &Rc<Clumsy>, put: impl FnOnce(&Rc<Lane>)) -> (Rc<Lane>, DuplexStream) {
    let (opened, mut connections) = mpsc::unbounded_channel();
    let lane = lane_with(owner, ConnectionConfig { transport: Arc::new(Pipes(opened)), ..config() });
    lane.start();
    let mut stream = connections.recv().await.expect("a client");
    greet(&mut stream).await;
    lane.connected().await.expect("there is a server");
    put(&lane);
    while lane.queues.borrow().written().0 < TAKEN as u64 {
        tokio::task::yield_now().await;
    }
    (lane, stream)
}

/// Reads until a word comes, and returns the numbers of the requests before it.
async fn numbers_until(stream: &mut (impl AsyncRead + Unpin), word: &str) -> BTreeSet<usize> {
    let mut heard = Vec::new();
    while memchr::memmem::rfind(&heard, word.as_bytes()).is_none() {
        assert_ne!(stream.read_buf(&mut heard).await.expect("a client"), 0, "the client is gone");
    }
    let heard = String::from_utf8(heard).expect("only text was sent");
    let numbers = heard.split('<').skip(1).map(|rest| rest.split('>').next().expect("it is whole").parse());
    numbers.collect::<Result<_, _>>().expect("they are numbers")
}

/// When a stalled server reads on, it gets exactly the requests that were reported as possibly executed.
async fn gets_what_may_have_executed(lane: &Rc<Lane>, mut stream: DuplexStream, expected: BTreeSet<usize>) {
    assert!(!expected.is_empty() && expected.len() < MANY, "{}", expected.len());
    let last = submit(lane, "LAST", BOUND);
    let heard = numbers_until(&mut stream, "LAST").await;
    assert_eq!(heard, expected);
    stream.write_all("+OK\r\n".repeat(heard.len() + 1).as_bytes()).await.expect("a client that listens");
    outcome(last).await.expect("a reply that is its own");
    assert!(lane.is_idle() && !lane.is_owed_a_reply());
    lane.close();
}

#[tokio::test]
async fn calls_that_the_socket_has_not_begun_to_take_at_their_deadline_are_never_sent_and_say_so() {
    let owner = Rc::default();
    let work = async {
        let mut calls = Vec::new();
        let put = |lane: &_| calls.extend((0..MANY).map(|number| submit(lane, &numbered(number), 6 * BOUND)));
        let (lane, stream) = stalled(&owner, put).await;
        let in_output = lane.queues.borrow().in_flight.len();
        lane.sweep(Instant::now() + 6 * BOUND);
        let mut sent = BTreeSet::new();
        for (number, call) in calls.into_iter().enumerate() {
            let error = outcome(call).await.expect_err("no reply in time");
            assert_eq!(error.kind, Kind::Timeout);
            if error.may_have_executed {
                sent.insert(number);
            }
        }
        assert!(sent.len() < in_output, "some had been moved to the output: {} of {in_output}", sent.len());
        while lane.counters.node.in_flight.load(Ordering::Relaxed) != sent.len() as u64 {
            tokio::task::yield_now().await;
        }
        gets_what_may_have_executed(&lane, stream, sent).await;
    };
    bounded(work).await;
}

#[tokio::test]
async fn calls_that_the_socket_has_not_begun_to_take_when_they_are_cancelled_are_never_sent() {
    let owner = Rc::default();
    let work = async {
        let completions = Completions::new(|| {});
        let put = |lane: &_| {
            for ticket in 0..MANY {
                let reply_to = ReplyTo::event_loop(completions.clone(), ticket as u64);
                submit_for(lane, &numbered(ticket), 6 * BOUND, reply_to);
            }
        };
        let (lane, stream) = stalled(&owner, put).await;
        let begun = lane.queues.borrow().begun();
        // Two groups, interleaved.
        for remainder in [0, 1] {
            let lot = (0..MANY as u64).filter(|ticket| ticket % 2 == remainder);
            let mut gone: BTreeSet<_> = lot.map(|ticket| CallId::new(&completions, ticket)).collect();
            lane.cancel(&mut gone);
            assert!(gone.is_empty());
            // The lane's turn.
            tokio::task::yield_now().await;
        }
        gets_what_may_have_executed(&lane, stream, (0..begun).collect()).await;
    };
    bounded(work).await;
}

#[tokio::test]
async fn commands_of_a_step_that_the_socket_has_not_begun_to_take_are_unsent_where_they_are_of_use_one_by_one() {
    // So many that the socket stops within one.
    const EACH: usize = 5_000;
    let owner = Rc::default();
    let work = async {
        let separable = StepOptions { separable: true, ..StepOptions::default() };
        let progresses: Vec<Rc<StepProgress>> = (0..MANY / EACH).map(|_| Rc::default()).collect();
        let mut steps = Vec::new();
        let put = |lane: &Rc<Lane>| {
            for (step, progress) in progresses.iter().enumerate() {
                let commands = (0..EACH).map(|each| command(&numbered(step * EACH + each)).wire().clone());
                steps.push(lane.begin(commands.collect(), separable, progress));
            }
        };
        let (lane, stream) = stalled(&owner, put).await;
        drop(steps);
        let length = |number: usize| command(&numbered(number)).wire().len() as u64;
        let mut sent = BTreeSet::new();
        for (step, progress) in progresses.iter().enumerate() {
            assert_eq!(progress.was_sent(), progress.written() > 0);
            let mut end = 0;
            for number in step * EACH..(step + 1) * EACH {
                end += length(number);
                if end <= progress.written() {
                    sent.insert(number);
                }
            }
        }
        gets_what_may_have_executed(&lane, stream, sent).await;
    };
    bounded(work).await;
}

#[tokio::test]
async fn a_call_that_the_socket_has_taken_in_part_ends_with_its_connection_if_its_deadline_has_passed() {
    let owner = Rc::default();
    let work = async {
        let (opened, mut connections) = mpsc::unbounded_channel();
        let transport = Arc::new(Pipes(opened));
        let lane = lane_with(&owner, ConnectionConfig { transport, deadlines: Deadlines::UntilSent, ..config() });
        lane.start();
        let mut stream = connections.recv().await.expect("a client");
        greet(&mut stream).await;
        lane.connected().await.expect("there is a server");
        let call = submit(&lane, &"x".repeat(2 * TAKEN), Duration::from_millis(50));
        while lane.queues.borrow().sweep_at().is_some() {
            sleep(Duration::from_millis(1)).await;
        }
        drop(stream);
        let error = outcome(call).await.expect_err("the rest cannot be written");
        assert_eq!((error.kind, error.may_have_executed), (Kind::Timeout, false), "{error}");
        lane.close();
    };
    bounded(work).await;
}

#[tokio::test]
async fn what_is_done_when_a_call_ends_does_not_grow_with_the_calls_that_wait() {
    let owner = Rc::default();
    let work = async {
        for count in [5_000_usize, 20_000] {
            let completions = Completions::new(|| {});
            let mut steps = Vec::new();
            let put = |lane: &Rc<Lane>| {
                for ticket in 0..count {
                    // Each has its own deadline.
                    let within = 6 * BOUND + Duration::from_micros(ticket as u64);
                    submit_for(
                        lane,
                        &numbered(ticket),
                        within,
                        ReplyTo::event_loop(completions.clone(), ticket as u64),
                    );
                    let commands = vec![command(&numbered(ticket)).wire().clone()];
                    steps.push(lane.begin(commands, StepOptions::default(), &Rc::default()));
                }
            };
            let (lane, _stream) = stalled(&owner, put).await;
            take_visits();
            for (ticket, step) in steps.into_iter().enumerate() {
                drop(step);
                if ticket % 2 == 0 {
                    lane.cancel(&mut BTreeSet::from([CallId::new(&completions, ticket as u64)]));
                }
                if ticket % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            let ended = lane.queues.borrow_mut().expired(Instant::now() + 7 * BOUND, false).len();
            assert_eq!(ended, count / 2);
            let visits = take_visits();
            assert!(visits < 10 * count, "{visits} jobs were looked at to end {count} calls and as many steps");
            assert_eq!(lane.queues.borrow().waiting.bytes, 0);
            lane.close();
        }
    };
    bounded(work).await;
}

#[tokio::test]
async fn calls_that_have_timed_out_take_no_memory() {
    let owner = Rc::default();
    let work = async {
        let completions = Completions::new(|| {});
        let lane = lane(&owner);
        for ticket in 0..10_000 {
            submit_for(&lane, "PING", Duration::ZERO, ReplyTo::event_loop(completions.clone(), ticket));
            lane.sweep(Instant::now());
        }
        let registered = lane.queues.borrow().registered();
        assert!(registered < 2_000, "{registered} calls are remembered");
        lane.close();
    };
    bounded(work).await;
}

#[tokio::test]
async fn what_comes_later_waits_for_a_place_that_is_kept_and_no_longer() {
    let owner = Rc::default();
    let work = async {
        let listener = listen().await;
        let lane = lane(&owner);
        // Also before there is a connection.
        let place = lane.keep_place();
        let later = submit(&lane, "<2>", BOUND);
        let mut stream = accept(&listener).await;
        let wire = |number: usize| command(&numbered(number)).wire().clone();
        for number in [0, 1] {
            let asked = place.ask(wire(number));
            let answer = async {
                assert_eq!(numbers_until(&mut stream, ">").await, BTreeSet::from([number]), "nothing else was sent");
                stream.write_all(b":0\r\n").await.expect("a client that listens");
            };
            assert!(tokio::join!(asked, answer).0.is_ok());
        }
        drop(place);
        assert_eq!(numbers_until(&mut stream, ">").await, BTreeSet::from([2]));
        stream.write_all(b":2\r\n").await.expect("a client that listens");
        assert_eq!(outcome(later).await.expect("a reply").as_int(), Some(2));

        // A step is sent even if its place is given up, and is not sent if nobody waits for it any more.
        let place = lane.keep_place();
        let (kept, dropped) = (Rc::default(), Rc::default());
        let sent = place.begin(vec![wire(3)], StepOptions::default(), &kept);
        let unsent = place.begin(vec![wire(4)], StepOptions::default(), &dropped);
        drop((place, unsent));
        assert_eq!(numbers_until(&mut stream, ">").await, BTreeSet::from([3]));
        stream.write_all(b":3\r\n").await.expect("a client that listens");
        assert!(sent.await.is_ok() && !dropped.was_sent());
        assert!(lane.is_idle());
        lane.close();
    };
    bounded(work).await;
}

#[tokio::test]
async fn what_follows_the_first_use_of_a_script_waits_also_if_that_is_cancelled() {
    let owner = Rc::default();
    let work = async {
        let listener = listen().await;
        let lane = lane(&owner);
        let script = Arc::new(Script::new(b"return 1".to_vec(), Options::default()));
        let run = |number: usize, reply_to| {
            let mut packer = Packer::script(&script, 0, 1);
            packer.word(numbered(number).as_bytes());
            let (request, deadline) = (packer.finish(true), Instant::now() + BOUND);
            lane.submit(Call { request, route: Route::Any, timeout: BOUND, deadline, reply_to });
        };
        let completions = Completions::new(|| {});
        run(0, ReplyTo::event_loop(completions.clone(), 0));
        let (reply_to, second) = ReplyTo::task();
        run(1, reply_to);
        let third = submit(&lane, "<2>", BOUND);
        let mut stream = accept(&listener).await;
        assert_eq!(numbers_until(&mut stream, ">").await, BTreeSet::from([0]));
        lane.cancel(&mut BTreeSet::from([CallId::new(&completions, 0)]));
        // Its reply says that the script is missing, so the next call is the first one with an answer.
        stream.write_all(b"-NOSCRIPT No matching script. Please use EVAL.\r\n").await.expect("a client that listens");
        assert_eq!(numbers_until(&mut stream, ">").await, BTreeSet::from([1]));
        stream.write_all(b":1\r\n").await.expect("a client that listens");
        assert_eq!(outcome(second).await.expect("a reply").as_int(), Some(1));
        assert_eq!(numbers_until(&mut stream, ">").await, BTreeSet::from([2]));
        // From now on, no job waits for it.
        let more = [3, 4].map(|number| {
            let (reply_to, receiver) = ReplyTo::task();
            run(number, reply_to);
            receiver
        });
        assert_eq!(numbers_until(&mut stream, "<4>").await, BTreeSet::from([3, 4]));
        stream.write_all(b":2\r\n:3\r\n:4\r\n").await.expect("a client that listens");
        assert_eq!(outcome(third).await.expect("a reply").as_int(), Some(2));
        for receiver in more {
            outcome(receiver).await.expect("a reply");
        }
        lane.close();
    };
    bounded(work).await;
}
