//! What a lane does when its server changes its address, and when a bug of ours makes its task panic.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::*;
use crate::completion::{Completion, Outcome, ReplyTo};
use crate::connect::tests::{config, let_names_mean};
use crate::error::Kind;
use crate::request::Packer;
use crate::route::Route;

const BOUND: Duration = Duration::from_secs(10);

/// Runs a test, which hangs where the lane does not do what is waited for.
async fn bounded(work: impl Future<Output = ()>) {
    timeout(2 * BOUND, LocalSet::new().run_until(work)).await.expect("the lane does what is waited for");
}

/// Ends calls as the ladder would, and panics where it is told to.
#[derive(Default)]
struct Clumsy {
    panics_on_errors: bool,
    panics_on_losses: Cell<u32>,
}

impl Owner for Clumsy {
    fn set_back(&self, _lane: &Rc<Lane>, call: Call, setback: Setback) {
        let error = match setback {
            Setback::Answered(_) => {
                assert!(!self.panics_on_errors, "provoked by the test");
                Error::new(Kind::Request, "answered")
            }
            Setback::Unsent => Error::new(Kind::Request, "unsent"),
            Setback::Lost(reason) => Error::lost(&reason),
        };
        call.reply_to.finish(Err(Box::new(error)));
    }

    fn stalled(&self, _lane: &Rc<Lane>) {}

    fn disconnected(&self, _lane: &Rc<Lane>, _reason: &Unreachable) {
        let left = self.panics_on_losses.get();
        self.panics_on_losses.set(left.saturating_sub(1));
        assert_eq!(left, 0, "provoked by the test");
    }
}

fn lane(owner: &Rc<Clumsy>) -> Rc<Lane> {
    let owner: Rc<dyn Owner> = owner.clone();
    let address = Address::new("server.example", 1);
    Lane::new(address, Arc::new(config()), false, Rc::downgrade(&owner), Arc::default())
}

fn submit(lane: &Rc<Lane>, word: &str, within: Duration) -> oneshot::Receiver<Completion> {
    let mut packer = Packer::command(1);
    packer.word(word.as_bytes());
    let (reply_to, outcome) = ReplyTo::task();
    let request = packer.finish(false);
    lane.submit(Call { request, route: Route::Any, timeout: within, deadline: Instant::now() + within, reply_to });
    outcome
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
    hear(&mut stream, "LIB-VER").await;
    stream.write_all(b"+OK\r\n+OK\r\n").await.expect("a client that listens");
    stream
}

/// Reads until something was said.
async fn hear(stream: &mut TcpStream, word: &str) {
    let mut heard = Vec::with_capacity(1 << 20);
    while memchr::memmem::find(&heard, word.as_bytes()).is_none() {
        // Of what went before, no more than the beginning of the word matters.
        heard.drain(..heard.len().saturating_sub(word.len()));
        assert_ne!(stream.read_buf(&mut heard).await.expect("a client"), 0, "the client is gone");
    }
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
async fn after_a_panic_each_call_ends_as_is_known_of_it_and_the_lane_goes_on() {
    let owner = Rc::new(Clumsy { panics_on_errors: true, ..Clumsy::default() });
    let work = async {
        let listener = listen().await;
        let lane = lane(&owner);
        let receipt = Rc::default();
        let hit = submit(&lane, "HIT", BOUND);
        let written = submit(&lane, "WRITTEN", BOUND);
        let step = lane.begin(vec![Bytes::from_static(b"*1\r\n$4\r\nSTEP\r\n")], Terms::default(), &receipt);
        let mut first = accept(&listener).await;
        hear(&mut first, "STEP").await;
        // More than the socket takes: most of it is never written.
        let large = submit(&lane, &"x".repeat(32 << 20), BOUND);
        let unwritten = submit(&lane, "UNWRITTEN", BOUND);
        first.write_all(b"-ERR provoked\r\n").await.expect("a client that listens");

        let error = outcome(hit).await.expect_err("a bug was met");
        assert!(error.may_have_executed && error.message.contains("a bug in glide_scripts"), "{error}");
        let error = outcome(written).await.expect_err("its connection is gone");
        assert_eq!((error.kind, error.may_have_executed), (Kind::Connection, true));
        assert!(error.message.contains("a bug in glide_scripts"), "{error}");
        assert!(matches!(step.await, Err(Setback::Lost(_))));
        // They wait for the next connection.
        let mut second = accept(&listener).await;
        hear(&mut second, "UNWRITTEN").await;
        second.write_all(b":1\r\n:2\r\n").await.expect("a client that listens");
        assert_eq!(outcome(large).await.expect("a reply").as_int(), Some(1));
        assert_eq!(outcome(unwritten).await.expect("a reply").as_int(), Some(2));
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
