//! The coordinator: what it cosigned, answered or published before a kill is there after it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lingqu_client::Seen;
use lingqu_demo::cast::{self, Party};
use lingqu_demo::network::Network;
use lingqu_tlog::{Checkpoint, Hash, Intl, KeyName, Note, Signer, VerifierKey};
use lingqu_transport::{ClientTls, PeerId};
use rand::Rng;
use rand::rngs::StdRng;

use super::acknowledged::{Known, check_epoch};
use super::child::{Life, Moment, opening_us};
use super::coordinated::{Believed, Died, dial, entries, epoch, file, follow, replicate, revoke};
use super::protocol::Said;
use super::writer::Writer;
use super::{choices, setting};

const SIGKILL: i32 = 9;
/// Kills between two looks at everything.
const KILLS_PER_LOOK: usize = 20;

struct Suite {
    network: Network,
    product: Hash,
    node: ClientTls,
    agency: ClientTls,
    bureau: ClientTls,
    mirror_key: VerifierKey<Intl>,
    believed: Believed,
    writer: Writer,
    known: Known,
    acts: Acts,
}

/// Filings and revocations so far. Their number also names their targets.
#[derive(Default)]
struct Acts {
    begun: u64,
    answered: u64,
}

/// Kills one coordinator `kills` times, and looks at all that it holds every now and then.
pub(crate) fn survives_kills(kills: usize) {
    let mut random = choices("coordinator");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut suite = runtime.block_on(Suite::make(dir.path()));
    let opening_us = opening_us("coordinator", dir.path());
    let (mut opening, mut torn) = (0, 0);
    for kill in 1..=kills {
        let moment = moment(&mut random, opening_us);
        let mut life = Life::begin("coordinator", dir.path(), moment);
        let serving = life.hear();
        opening += usize::from(serving.is_none());
        let was_cut = serving.is_some_and(|said| {
            let address = suite.check_start(&said);
            runtime
                .block_on(suite.converse(&address, &mut random))
                .is_err()
        });
        torn += usize::from(was_cut);
        while life.hear().is_some() {}
        let ended = life.ended();
        let was_killed = ended.kill_sent && ended.status.signal() == Some(SIGKILL);
        assert!(
            was_killed,
            "the coordinator died by itself: {}",
            ended.status
        );
        if kill % KILLS_PER_LOOK == 0 || kill == kills {
            look(&mut suite, &runtime, dir.path());
        }
    }
    println!(
        "coordinator: opens in {opening_us} µs; {kills} kills: {opening} opening, {torn} conversing, {} idle; {} entries \
         cosigned, {} acts answered, {} acts begun and lost, epoch {}",
        kills - opening - torn,
        suite.known.cosigned.size,
        suite.acts.answered,
        suite.acts.begun - suite.acts.answered,
        suite.known.epochs.keys().next_back().copied().unwrap_or(0),
    );
}

/// A third while it opens, the rest while it is talked to.
fn moment(random: &mut StdRng, opening_us: u64) -> Moment {
    let micros = Duration::from_micros;
    if random.random_ratio(1, 3) {
        Moment::After(micros(random.random_range(0..opening_us)))
    } else {
        Moment::Lines(1, micros(random.random_range(0..120_000)))
    }
}

/// A life without a kill: everything is read back and compared, and it goes on.
fn look(suite: &mut Suite, runtime: &tokio::runtime::Runtime, dir: &Path) {
    let mut life = Life::begin("coordinator", dir, Moment::Never);
    let said = life.hear().expect("it opens after any kill");
    let address = suite.check_start(&said);
    let looked = runtime.block_on(suite.look(&address, &said));
    assert!(looked.is_ok(), "the coordinator does not go on");
    life.let_go();
    while life.hear().is_some() {}
    assert!(life.ended().status.success());
}

impl Suite {
    async fn make(dir: &Path) -> Suite {
        let mut network = setting::network(dir).await;
        let product = setting::file_plane(&network).await;
        let identity = |id: PeerId| network.files().identity(&id, network.clock()).unwrap();
        let origin = std::fs::read_to_string(dir.join("node/state/stream-origin")).unwrap();
        let signer = network.files().node_log_key().unwrap();
        let mirror = network.files().coordinator_key("mirror").unwrap();
        let mirror_name = KeyName::parse(&format!("{}/mirror", cast::ORIGIN_NAME)).unwrap();
        Suite {
            product,
            node: identity(PeerId::Node(cast::node())),
            agency: identity(PeerId::Party(Party::Agency.id())),
            bureau: identity(PeerId::Party(Party::Bureau.id())),
            mirror_key: VerifierKey::cosignature(mirror_name, mirror.public_key()).unwrap(),
            believed: Believed {
                trust: network.trust().unwrap(),
                head_log_keys: Arc::new(network.head_log_keys().unwrap()),
            },
            writer: Writer::new(origin.trim().to_owned(), signer),
            known: Known::default(),
            acts: Acts::default(),
            network: {
                network.stop_coordinator().await.unwrap();
                network
            },
        }
    }

    /// What it says at its start does not fall behind what it said before. Gives its address.
    fn check_start(&mut self, said: &Said) -> String {
        let Said::Serving {
            address,
            own_checkpoint,
            own_origin,
            epoch,
        } = said
        else {
            panic!("not a coordinator: {said:?}")
        };
        let answered = self.known.epoch_answered();
        assert!(
            *epoch >= answered,
            "epoch {answered} was answered, now {epoch}"
        );
        let note = Note::parse(own_checkpoint.as_ref().unwrap()).unwrap();
        let own_key = self.believed.trust.log(own_origin).unwrap();
        note.verify(std::slice::from_ref(own_key)).unwrap();
        let checkpoint = Checkpoint::parse(&note.text).unwrap();
        if let Some(before) = self.known.own.last() {
            assert!(checkpoint.size >= before.size, "the own stream is shorter");
        }
        self.known.own.push(checkpoint);
        address.clone()
    }

    /// Replicates, files, revokes, watches and follows, all at once, until done or dead.
    async fn converse(&mut self, address: &str, random: &mut StdRng) -> Result<(), Died> {
        let node = dial(address, &self.node).await?;
        let batches: Vec<usize> = (0..random.random_range(0..12))
            .map(|_| random.random_range(1..6))
            .collect();
        let revoking: Vec<bool> = (0..random.random_range(0..6))
            .map(|_| random.random())
            .collect();
        let watching = node.clone();
        let signing = self.network.files().coordinator_key("signing").unwrap();
        let floor = self.known.epoch_answered();
        let Suite { writer, known, .. } = self;
        let key = &self.mirror_key;
        let replicating = replicate(node, writer, &mut known.cosigned, key, &batches);
        let acting = async {
            let channel = dial(address, &self.agency).await?;
            for is_revocation in revoking {
                self.acts.begun += 1;
                let id = format!("grant_crash-{}", self.acts.begun);
                if is_revocation {
                    let agency_key = self.network.approval_key(Party::Agency).unwrap();
                    let number = revoke(channel.clone(), &agency_key, &id).await?;
                    known.revoked.insert(id, number);
                } else {
                    let grant = setting::grant(&self.network, &id, self.product, |_| {});
                    file(channel.clone(), &grant).await?;
                    known.filed.insert(grant.digest().0.to_vec());
                }
                self.acts.answered += 1;
            }
            Ok(())
        };
        let watching = async {
            let shown = epoch(watching, signing.public_key()).await?;
            check_epoch(&mut known.epochs, &shown, floor);
            Ok(())
        };
        let following = async {
            let channel = dial(address, &self.bureau).await?;
            follow(channel, &self.believed, &mut known.seen, |_, _| {}).await
        };
        let (replicated, acted, watched, followed) =
            tokio::join!(replicating, acting, watching, following);
        replicated.and(acted).and(watched).and(followed)
    }

    /// Reads everything back from its beginning.
    async fn look(&mut self, address: &str, said: &Said) -> Result<(), Died> {
        let node = dial(address, &self.node).await?;
        let known = &mut self.known;
        // It goes on: a batch is taken, and what was there before it is what was sent.
        let (writer, key) = (&mut self.writer, &self.mirror_key);
        replicate(node.clone(), writer, &mut known.cosigned, key, &[3]).await?;
        let held = entries(node.clone(), &writer.origin).await?;
        assert_eq!(held.len() as u64, known.cosigned.size);
        assert!(
            writer.entries.starts_with(&held),
            "the mirror has other entries"
        );

        let floor = known.epoch_answered();
        let signing = self.network.files().coordinator_key("signing").unwrap();
        let shown = epoch(node, signing.public_key()).await?;
        check_epoch(&mut known.epochs, &shown, floor);

        let channel = dial(address, &self.bureau).await?;
        follow(channel.clone(), &self.believed, &mut known.seen, |_, _| {}).await?;
        let Said::Serving { own_origin, .. } = said else {
            panic!("checked at the start")
        };
        let (mut own, mut streamed) = (Vec::new(), 0);
        follow(
            channel,
            &self.believed,
            &mut Seen::default(),
            |origin, record| {
                if origin == own_origin {
                    own.push(record);
                } else {
                    let index = usize::try_from(record.index).unwrap();
                    assert_eq!(record.encode::<Intl>(), self.writer.entries[index]);
                    streamed += 1;
                }
            },
        )
        .await?;
        assert_eq!(streamed, held.len(), "the feed is whole");
        known.check_own(&own, &shown);
        Ok(())
    }
}
