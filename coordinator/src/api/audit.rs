//! `lingqu.v1.Audit`.

use std::sync::Arc;

use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::{ErrorCode, PartyId, Region};
use lingqu_proto::pb;
use lingqu_proto::pb::audit_server::Audit;
use lingqu_proto::pb::follow_response;
use lingqu_transport::status_of;
use tonic::{Request, Response, Status};

use super::grpc::{Answers, Services, malformed, party};
use crate::mirror::feed::{Event, Follower};

#[tonic::async_trait]
impl Audit for Services {
    type FollowStream = Answers<pb::FollowResponse>;

    async fn follow(
        &self,
        request: Request<pb::FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let id = party(&request)?;
        let request = request.into_inner();
        let region: Region = request.region.parse().map_err(|_| malformed("region"))?;
        let regulator = self.registry.actor(&id).map_err(status_of)?;
        if !regulator.region.covers(&region) {
            return Err(status_of(ErrorCode::RegionForbidden));
        }
        let resume = request.resume.into_iter().map(|point| {
            let region = point.region.parse().map_err(|_| malformed("resume"))?;
            Ok((region, point.heads))
        });
        let resume: Vec<(Region, u64)> = resume.collect::<Result<_, Status>>()?;
        let place = self.followers.take(id.as_str()).map_err(status_of)?;
        let follower = Follower::new(Arc::clone(&self.mirror), region.clone(), resume);
        let follower = follower.map_err(status_of)?;
        self.record(&id, &region).await.map_err(status_of)?;
        let until_current = request.until_current;
        let registry = Arc::clone(&self.registry);
        let events = self.stream(message, |sender| {
            Box::pin(async move {
                let _place = place;
                tokio::select! {
                    biased;
                    () = registry.revoked(&id) => Err(ErrorCode::CallerRevoked),
                    ended = follower.run(until_current, sender) => ended,
                }
            })
        });
        Ok(Response::new(events))
    }
}

impl Services {
    /// Whoever watches is watched: the subscription is an act of its own, durable before the first event leaves. What is
    /// cosigned by now gets its heads, so that "current" means now.
    async fn record(&self, regulator: &PartyId, region: &Region) -> Result<(), ErrorCode> {
        let mut draft = Draft::new(Kind::Control);
        draft.clear = Clear::default()
            .text(Field::Action, "follow")
            .text(Field::Subject, regulator.as_str())
            .text(Field::Actor, regulator.as_str())
            .text(Field::Region, region.as_str());
        self.mirror.append_own(vec![draft]).await?;
        self.mirror.tick().await
    }
}

fn message(event: Event) -> pb::FollowResponse {
    let event = match event {
        Event::Span {
            region,
            head_index,
            head,
            origin,
            first,
            entries,
        } => follow_response::Event::Span(pb::StreamSpan {
            region: region.to_string(),
            head_index,
            head,
            origin,
            first,
            entries,
        }),
        Event::Dropped {
            region,
            head_index,
            head,
            end,
        } => follow_response::Event::Dropped(pb::DroppedSpan {
            region: region.to_string(),
            head_index,
            head,
            end,
        }),
        Event::HeadLog { region, checkpoint } => {
            follow_response::Event::HeadLog(pb::HeadLogCheckpoint {
                region: region.to_string(),
                checkpoint,
            })
        }
    };
    pb::FollowResponse { event: Some(event) }
}
