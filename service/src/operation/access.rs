//! Who may call what: every RPC with its scope, its port, and how its time and its messages are bounded.

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Forecasts, and reading the registry.
    Forecast,
    /// Sessions.
    Session,
    /// Jobs and data sets.
    Train,
    /// Changing the registry.
    Admin,
}

impl Scope {
    /// The names in a configuration.
    pub const NAMES: [&'static str; 4] = ["forecast", "session", "train", "admin"];
    /// Every scope.
    pub const ALL: [Scope; 4] = [Scope::Forecast, Scope::Session, Scope::Train, Scope::Admin];

    /// The scope of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scope::Forecast => "forecast",
            Scope::Session => "session",
            Scope::Train => "train",
            Scope::Admin => "admin",
        }
    }
}

/// What a call asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: probes have no tokens.
    Open,
    /// Any token.
    AnyToken,
    /// A token with this scope.
    Scope(Scope),
}

/// Whether a call ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One message in, one out: bounded by the server's own time.
    Unary,
    /// A stream out: lasts as long as it lasts.
    Download,
    /// A stream of small messages in, or both ways.
    Stream,
    /// A stream of the chunks of a file, or of whole series, in.
    Upload,
}

/// What the work of a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Forecasts: refused at the door while too many wait.
    Forecast,
    /// Anything else.
    Other,
}

/// One call of a service.
#[derive(Debug, Clone, Copy)]
pub struct Rpc {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// How long it lasts.
    pub shape: Shape,
    /// What it does.
    pub work: Work,
}

const fn rpc(path: &'static str, access: Access, shape: Shape, work: Work) -> Rpc {
    Rpc { path, access, shape, work }
}

const FORECAST: Access = Access::Scope(Scope::Forecast);
const SESSION: Access = Access::Scope(Scope::Session);
const TRAIN: Access = Access::Scope(Scope::Train);
const ADMIN: Access = Access::Scope(Scope::Admin);

/// Every call that the server answers, on either port. A call that is not here does not exist.
pub const RPCS: &[Rpc] = &[
    rpc("/longcast.v1.ForecastService/Forecast", FORECAST, Shape::Unary, Work::Forecast),
    rpc("/longcast.v1.ForecastService/BatchForecast", FORECAST, Shape::Download, Work::Forecast),
    rpc("/longcast.v1.ForecastService/StreamForecast", FORECAST, Shape::Stream, Work::Forecast),
    rpc("/longcast.v1.ModelService/GetModel", Access::AnyToken, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelService/ListModels", Access::AnyToken, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelService/GetModelRevision", Access::AnyToken, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelService/ListModelRevisions", Access::AnyToken, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelAdminService/UpdateModel", ADMIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelAdminService/DeleteModel", ADMIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelAdminService/DeleteModelRevision", ADMIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelAdminService/ImportModelRevision", ADMIN, Shape::Upload, Work::Other),
    rpc("/longcast.v1.ModelAdminService/ExportModelRevision", ADMIN, Shape::Download, Work::Other),
    rpc("/longcast.v1.ModelAdminService/LoadModelRevision", ADMIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ModelAdminService/UnloadModelRevision", ADMIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.ServerService/GetServerInfo", Access::AnyToken, Shape::Unary, Work::Other),
    rpc("/longcast.v1.SessionService/CreateSession", SESSION, Shape::Unary, Work::Other),
    rpc("/longcast.v1.SessionService/GetSession", SESSION, Shape::Unary, Work::Other),
    rpc("/longcast.v1.SessionService/ListSessions", SESSION, Shape::Unary, Work::Other),
    rpc("/longcast.v1.SessionService/DeleteSession", SESSION, Shape::Unary, Work::Other),
    rpc("/longcast.v1.SessionService/StreamSession", SESSION, Shape::Stream, Work::Other),
    rpc("/longcast.v1.SessionService/Observe", SESSION, Shape::Unary, Work::Other),
    rpc("/longcast.v1.SessionService/WatchSession", SESSION, Shape::Download, Work::Other),
    rpc("/longcast.v1.TrainingService/CreateTrainingJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.TrainingService/GetTrainingJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.TrainingService/ListTrainingJobs", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.TrainingService/CancelTrainingJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.TrainingService/DeleteTrainingJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.TrainingService/WatchTrainingJob", TRAIN, Shape::Download, Work::Other),
    rpc("/longcast.v1.TrainingService/UploadDataset", TRAIN, Shape::Upload, Work::Other),
    rpc("/longcast.v1.TrainingService/ListDatasets", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.TrainingService/DeleteDataset", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.EvaluationService/CreateBacktestJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.EvaluationService/GetBacktestJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.EvaluationService/ListBacktestJobs", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.EvaluationService/CancelBacktestJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.EvaluationService/DeleteBacktestJob", TRAIN, Shape::Unary, Work::Other),
    rpc("/longcast.v1.EvaluationService/WatchBacktestJob", TRAIN, Shape::Download, Work::Other),
    rpc("/grpc.health.v1.Health/Check", Access::Open, Shape::Unary, Work::Other),
    rpc("/grpc.health.v1.Health/Watch", Access::Open, Shape::Download, Work::Other),
    rpc(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Access::AnyToken,
        Shape::Stream,
        Work::Other,
    ),
    rpc(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Access::AnyToken,
        Shape::Stream,
        Work::Other,
    ),
];

/// The position of a call in [`RPCS`], by its path.
pub(crate) fn find(path: &str) -> Option<usize> {
    // Forty short texts: the lengths differ in most, so few are compared.
    RPCS.iter().position(|rpc| rpc.path == path)
}
