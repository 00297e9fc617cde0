//! Commands against a server that answers by a script: what they print is what upstream's tool printed of a cluster that
//! answered so.

use std::collections::BTreeMap;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::frame::{Split, split};
use boostermq_remoting::header::HeaderScratch;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::golden;
use crate::Environment;

/// Where the recorded name server and broker were.
const RECORDED: [&str; 2] = ["127.0.0.1:29876", "127.0.0.1:30911"];

/// What a request code is answered: code, fields, body. `{a}` in a body stands for the server's own address.
type Answer = (i32, &'static [(&'static str, &'static str)], &'static str);

const DONE: Answer = (0, &[], "");
const CLUSTER: Answer = (
    0,
    &[],
    r#"{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"{a}"},"brokerName":"broker-a","cluster":"DefaultCluster"}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}"#,
);
const ROUTE: Answer = (
    0,
    &[],
    r#"{"brokerDatas":[{"brokerAddrs":{0:"{a}"},"brokerName":"broker-a","cluster":"DefaultCluster"}],"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"writeQueueNums":4}]}"#,
);

/// Answers until the test ends; what is not in the script is refused.
async fn serve(listener: TcpListener, script: BTreeMap<i32, Answer>) {
    let address = listener.local_addr().unwrap().to_string();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, script.clone(), address.clone()));
    }
}

async fn answer(mut stream: TcpStream, script: BTreeMap<i32, Answer>, address: String) {
    let (mut buffer, mut scratch) = (Vec::new(), HeaderScratch::default());
    while stream.read_buf(&mut buffer).await.is_ok_and(|count| count > 0) {
        let mut used = 0;
        while let Ok(Split::Whole(frame, length)) = split(&buffer[used..]) {
            let asked = RemotingCommand::from_frame(&frame, &mut scratch).unwrap();
            used += length;
            let (code, fields, body) = script.get(&asked.code).copied().unwrap_or((3, &[], ""));
            let mut reply = RemotingCommand::answer(ResponseCode(code), asked.opaque);
            reply.fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
            reply.body = Bytes::from(body.replace("{a}", &address));
            let mut bytes = Vec::new();
            reply.write(&mut bytes);
            stream.write_all(&bytes).await.unwrap();
        }
        buffer.drain(..used);
    }
}

/// Runs a command line, in which `{a}` is the server, and gives status, output and complaints with the recorded addresses
/// in place of it.
fn run(line: &str, script: &[(i32, Answer)]) -> (u8, String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve(listener, script.iter().copied().collect()));
        let words = format!("{line} -n {address}").replace("{a}", &address);
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = crate::run(&words, &Environment::default(), &mut out, &mut err).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&address, "ADDRESS");
        (status, text(out), text(err))
    })
}

fn recorded(name: &str) -> String {
    RECORDED.iter().fold(golden(name), |text, address| text.replace(address, "ADDRESS"))
}

#[test]
fn commands_print_what_upstream_printed() {
    for (name, line, script) in [
        ("updateKvConfig", "updateKvConfig -s NS1 -k K1 -v V1", &[(100, DONE)][..]),
        ("deleteKvConfig", "deleteKvConfig -s NS1 -k K1", &[(102, DONE)]),
        ("wipeWritePerm", "wipeWritePerm -b broker-a", &[(205, (0, &[("wipeTopicCount", "179")], ""))]),
        ("addWritePerm", "addWritePerm -b broker-a", &[(327, (0, &[("addTopicCount", "179")], ""))]),
        (
            "deleteSubGroup",
            "deleteSubGroup -c DefaultCluster -g gold_sub",
            &[(106, CLUSTER), (207, DONE), (215, DONE), (216, DONE), (102, DONE)],
        ),
        ("deleteTopic", "deleteTopic -c DefaultCluster -t GoldAdm", &[(106, CLUSTER), (215, DONE), (216, DONE)]),
        ("updateSubGroup", "updateSubGroup -c DefaultCluster -g gold_sub -r 3 -q 2", &[(106, CLUSTER), (200, DONE)]),
        ("updateTopic", "updateTopic -b {a} -t GoldAdm -r 4 -w 4", &[(17, DONE)]),
        ("updateBrokerConfig", "updateBrokerConfig -b {a} -k flushDiskType -v ASYNC_FLUSH", &[(25, DONE)]),
        ("updateNamesrvConfig", "updateNamesrvConfig -k serverAsyncSemaphoreValue -v 64", &[(318, DONE)]),
        (
            "updateTopicPerm",
            "updateTopicPerm -c DefaultCluster -t GoldAdm -p 4",
            &[(105, ROUTE), (106, CLUSTER), (17, DONE)],
        ),
        ("updateOrderConf-get", "updateOrderConf -t GoldAdm -m get", &[(101, (0, &[("value", "broker-a:4")], ""))]),
        ("updateOrderConf-put", "updateOrderConf -t GoldAdm -m put -v broker-a:4", &[(100, DONE)]),
        (
            "setConsumeMode",
            "setConsumeMode -c DefaultCluster -t GoldNormal -g gold_live -m PULL -q 0",
            &[(106, CLUSTER), (401, DONE)],
        ),
        ("cleanExpiredCQ", "cleanExpiredCQ -b {a}", &[(306, DONE)]),
        ("cleanUnusedTopic", "cleanUnusedTopic -b {a}", &[(316, DONE)]),
        ("deleteExpiredCommitLog", "deleteExpiredCommitLog -b {a}", &[(329, DONE)]),
        ("topicClusterList", "topicClusterList -t GoldNormal", &[(105, ROUTE), (106, CLUSTER)]),
    ] {
        assert_eq!(run(line, script), (0, recorded(name), String::new()), "{line}");
    }
}

#[test]
fn what_a_server_does_not_serve_ends_with_a_status_of_its_own() {
    for (line, script) in [
        ("setConsumeMode -b {a} -t T -g g -m POP", &[][..]),
        ("getUser -b {a} -u u", &[]),
        ("updateColdDataFlowCtrGroupConfig -c DefaultCluster -g g -v 1", &[(106, CLUSTER)]),
        ("getControllerMetaData -a {a}", &[]),
        ("getParentTopicInfo -p T", &[(105, ROUTE)]),
    ] {
        let (status, _, err) = run(line, script);
        assert_eq!(status, 3, "{line}: {err}");
        assert!(err.contains("CODE: 3"), "{line}: {err}");
    }
}

#[test]
fn what_fails_is_named() {
    let (status, out, err) = run("updateKvConfig -s N -k K -v V", &[(100, (1, &[], ""))]);
    assert_eq!((status, out.as_str()), (1, ""), "{err}");
    let (status, out, err) = run("wipeWritePerm -b broker-a", &[(205, (1, &[], ""))]);
    assert_eq!((status, out.as_str()), (1, "wipe write perm of broker[broker-a] in name server[ADDRESS] Failed\n"));
    assert!(err.contains("ADDRESS"), "{err}");
    let (status, out, _) = run("deleteTopic -c NoCluster -t T", &[(106, CLUSTER)]);
    assert_eq!((status, out.starts_with("[error] ")), (1, true));
}
