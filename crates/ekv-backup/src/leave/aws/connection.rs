//! How a service is reached.

use ekv_aws::{Chain, Client, Endpoint, Environment, Pace, Service, SystemClock, region_of_profile};
use ekv_model::{Class, Error, Result};

use super::access::AwsAccess;
use super::failure::failed;
use super::machine::{Machine, Stop, StoppableClock, StoppableWire};
use super::report::AwsTarget;
use crate::leave::destination::AwsService;

/// A service that can be asked, from several threads at once.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) report: AwsTarget,
    /// Ends all requests.
    pub(crate) stop: Stop,
    /// Requests that may be under way at once.
    pub(crate) connections: usize,
}

impl Connection {
    /// How many requests were sent so far.
    pub(crate) fn requests(&self) -> u64 {
        self.client.sent.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl AwsAccess {
    /// Learns where the service is and as whom it is asked; nothing is sent to it yet.
    ///
    /// # Errors
    /// No region; an address that is none; clear text over a network; certificates that cannot be read; no credentials.
    pub(crate) fn connect(&self, service: AwsService) -> Result<Connection> {
        let kind = match service {
            AwsService::DynamoDb => Service::DynamoDb,
            AwsService::S3 => Service::S3,
            AwsService::Sqs => Service::Sqs,
        };
        let wire = self.wire(service)?;
        let region = self.region()?;
        let endpoint = match self.endpoint_url(kind) {
            Some(address) => Endpoint::parse(&address).map_err(failed)?,
            None => Endpoint::of_region(kind, &region),
        };
        if endpoint.is_plain_over_network() && !self.is_insecure {
            let text = format!(
                "{endpoint}: everything would go over the network in clear text: use https://, or give --insecure where the network is yours"
            );
            return Err(Error::new(Class::Environment, text));
        }
        let stop = Stop::default();
        let wire = StoppableWire(wire, stop.clone());
        let asking = Box::new(self.wire(service)?);
        let credentials = Chain::new(Box::new(Machine), asking, self.profile.clone(), &region);
        let clock = StoppableClock(SystemClock::new(), stop.clone());
        let report = AwsTarget { service: kind.name(), endpoint: endpoint.to_string(), region: region.clone() };
        let (credentials, wire, clock) = (Box::new(credentials), Box::new(wire), Box::new(clock));
        let mut client = Client::new(kind, endpoint, region, credentials, wire, clock);
        client.pace = Pace::new(self.rate.map(std::num::NonZeroU32::get));
        // Whoever has no credentials is to know it before anything is read.
        client.credentials.credentials(&*client.clock).map_err(failed)?;
        Ok(Connection { client, report, stop, connections: self.connections.get() })
    }

    fn region(&self) -> Result<String> {
        let named =
            self.region.clone().or_else(|| Machine.var("AWS_REGION")).or_else(|| Machine.var("AWS_DEFAULT_REGION"));
        let named = match named {
            Some(region) => Some(region),
            None => region_of_profile(&Machine, self.profile.as_deref()).map_err(failed)?,
        };
        let text = "no region: set AWS_REGION, such as AWS_REGION=eu-central-1 (an emulator takes any), or give --region to a command that has it";
        let region = named.ok_or_else(|| Error::new(Class::Environment, text))?;
        // It becomes part of a host name.
        match !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            true => Ok(region),
            false => Err(Error::new(Class::Environment, format!("{region:?} is no region"))),
        }
    }

    fn endpoint_url(&self, service: Service) -> Option<String> {
        let own = format!("AWS_ENDPOINT_URL_{}", service.name().to_ascii_uppercase());
        self.endpoint_url.clone().or_else(|| Machine.var(&own)).or_else(|| Machine.var("AWS_ENDPOINT_URL"))
    }

    #[cfg(not(all(feature = "aws", not(target_family = "wasm"))))]
    fn wire(&self, service: AwsService) -> Result<NoWire> {
        let text = format!(
            "{service} needs the feature aws, which this program was built without: cargo install --locked --features aws --path \
             crates/ekv-backup-cli"
        );
        Err(Error::new(Class::Environment, text))
    }

    #[cfg(all(feature = "aws", not(target_family = "wasm")))]
    fn wire(&self, _service: AwsService) -> Result<ekv_aws::HttpWire> {
        const BUNDLE: &str = "AWS_CA_BUNDLE";
        let refuse = |error: std::io::Error| Error::new(Class::Environment, format!("certificates: {error}"));
        let bundle = match Machine.var(BUNDLE) {
            Some(path) => {
                Machine.file(&path).and_then(|text| text.ok_or_else(|| std::io::ErrorKind::NotFound.into())).map(Some)
            }
            None => Ok(None),
        };
        let bundle = bundle.map_err(|error| Error::new(Class::Environment, format!("{BUNDLE}: {error}")))?;
        ekv_aws::HttpWire::new(self.connections.get(), bundle.as_deref().map(str::as_bytes)).map_err(refuse)
    }
}

/// The wire of a build without one.
#[cfg(not(all(feature = "aws", not(target_family = "wasm"))))]
enum NoWire {}

#[cfg(not(all(feature = "aws", not(target_family = "wasm"))))]
impl ekv_aws::Wire for NoWire {
    fn send(&self, _request: &ekv_aws::SignedRequest<'_>) -> std::io::Result<ekv_aws::Answer> {
        match *self {}
    }
}
