package chatotel

// Conventions is the version of the semantic conventions of OpenTelemetry that
// the names in this file are from. It is the last version with conventions for
// generative AI. They are in development, and will change with a new version of
// this module only. A test compares the names with those of the version.
const Conventions = "1.41.0"

// Attributes of the conventions.
const (
	attrOperation    = "gen_ai.operation.name"
	attrProvider     = "gen_ai.provider.name"
	attrConversation = "gen_ai.conversation.id"
	attrModel        = "gen_ai.request.model"
	attrStream       = "gen_ai.request.stream"
	attrResponse     = "gen_ai.response.id"
	attrAnswerModel  = "gen_ai.response.model"
	attrFinish       = "gen_ai.response.finish_reasons"
	attrFirstChunk   = "gen_ai.response.time_to_first_chunk"
	attrInputTokens  = "gen_ai.usage.input_tokens"
	attrOutputTokens = "gen_ai.usage.output_tokens"
	attrTokenType    = "gen_ai.token.type"
	attrTool         = "gen_ai.tool.name"
	attrToolType     = "gen_ai.tool.type"
	attrToolCall     = "gen_ai.tool.call.id"
	attrToolArgs     = "gen_ai.tool.call.arguments"
	attrToolResult   = "gen_ai.tool.call.result"
	attrInput        = "gen_ai.input.messages"
	attrOutput       = "gen_ai.output.messages"
	attrError        = "error.type"
	attrAddress      = "server.address"
	attrPort         = "server.port"
)

// Attributes of Parley, for which the conventions have no name.
const (
	attrRequest   = "parley.request.id"
	attrMessage   = "parley.message.id"
	attrTokens    = "parley.tokens" // the number of tokens received
	attrPhase     = "parley.connection.phase"
	attrRecovered = "parley.connection.recovered"
	attrDirection = "network.io.direction"
	attrTopic     = "parley.topic"
)

// Operations and other values of the conventions.
const (
	operationChat = "chat"
	operationTool = "execute_tool"
	toolFunction  = "function"
	tokensInput   = "input"
	tokensOutput  = "output"
	finishStop    = "stop"
	finishError   = "error"
	errorOther    = "_OTHER"
)

// Metrics of the conventions.
const (
	metricDuration   = "gen_ai.client.operation.duration"
	metricFirstChunk = "gen_ai.client.operation.time_to_first_chunk"
	metricChunk      = "gen_ai.client.operation.time_per_output_chunk"
	metricUsage      = "gen_ai.client.token.usage"
)

// The buckets that the conventions recommend.
var (
	secondsBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets   = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// Metrics of Parley.
const (
	metricOpen             = "parley.client.open_answers"
	metricClients          = "parley.client.count"
	metricReady            = "parley.client.ready"
	metricStates           = "parley.connection.state_changes"
	metricAttempts         = "parley.connection.attempts"
	metricSessions         = "parley.connection.sessions"
	metricSessionDuration  = "parley.connection.session.duration"
	metricPackets          = "parley.connection.packets"
	metricBytes            = "parley.connection.io"
	metricQueued           = "parley.connection.queued_packets"
	metricDecodeErrors     = "parley.connection.decode_errors"
	metricSubscriptions    = "parley.bus.subscriptions"
	metricPending          = "parley.bus.pending"
	metricSlow             = "parley.bus.slow"
	metricDeliveryAttempts = "parley.delivery.attempts"
	metricDeliveryDuration = "parley.delivery.duration"
)
