package docs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// promises has the tests of each numbered statement in the manuals of the
// packages, by package, section and number.
var promises = map[string]string{
	"bus Guarantees 1": "TestPublish_reachesAllSubscriptionsInOrder TestPublish_keepsOrderPerPublisher",
	"bus Guarantees 2": "TestSubscription_endsConsistentlyAtAnyPoint TestErr_isNilUntilClose",
	"bus Guarantees 3": "TestClose_keepsBufferedValuesAndDropsRest TestTopic_deliversAllPendingValuesAfterClose TestFail_deliversPendingValuesThenCloses",
	"bus Guarantees 4": "TestPublish_doesNotLetSlowReaderDelayOthers TestBlock_delaysPublishUntilReaderMakesRoom",
	"bus Guarantees 5": "TestTopic_allowsReaderToPublishSubscribeAndClose TestClose_isSafeForConcurrentUse",
	"bus Guarantees 6": "TestTopic_staysUsableWhilePublisherIsBlocked TestReplay_runsFilterUnderNoLock TestLogger_allowsHandlerToUseTopic",

	"conn Guarantees 1": "TestRaw_receivesEventsWithAllArguments TestRecovery_deliversMissedEventsBeforeConnectReply",
	"conn Guarantees 2": "TestOn_doesNotDecodeWithoutSubscriber",
	"conn Guarantees 3": "TestRecovery_handsOverBlockedEvent TestRun_deliversLargePayloadAtPaceOfReaders",
	"conn Guarantees 4": "TestRun_keepsSubscriptionsAcrossReconnects",
	"conn Guarantees 5": "TestCall_returnsMatchingAcknowledgement TestCall_ignoresLateAcknowledgement",
	"conn Guarantees 6": "TestEmit_keepsSessionAfterContextEndsInBlockedWrite",
	"conn Guarantees 7": "TestWriteTimeout_endsSessionWithoutResending TestDo_callsAgainOnNextSessionWhenNothingWasSent",
	"conn Guarantees 8": "TestRun_keepsSessionOnUnexpectedPackets TestOn_boundsMemoryOfPendingEvents",

	"chat Topics 1": "TestSubscription_survivesReconnectsAndRuns",
	"chat Topics 2": "TestEvents_deliversEveryEventKindInOrder",
	"chat Topics 3": "TestDecodeErrors_reportsInvalidPayloadsInsteadOfEvents",
	"chat Topics 4": "TestStream_boundsMemoryOfHostileAnswer",
	"chat Topics 5": "TestRaw_deliversEveryEventWithAllArguments",
	"chat Topics 6": "TestServerErrors_usesConfiguredEventName TestRun_reportsRejectedHandshake",

	"chat Questions and answers 1": "TestStream_yieldsOwnTokensOnceInOrder",
	"chat Questions and answers 2": "TestStream_reordersEarlyTokens TestStream_matchesModelInRandomConversations",
	"chat Questions and answers 3": "TestFillGap_takesMissingTextFromFinalMessage TestFailOnGap_returnsGapErrorAfterGapTimeout TestReorderLimit_endsWaitForGap",
	"chat Questions and answers 4": "TestStream_servesReadersIndependently TestStream_readsFromStartAfterBreak",
	"chat Questions and answers 5": "TestStream_boundsMemoryOfHostileAnswer TestStream_failsWithErrTooLongBeyondSizeLimits",
	"chat Questions and answers 6": "TestWait_returnsSameResultToAllCallers",

	"chat Lost sessions 1": "TestStream_continuesAcrossRecovery",
	"chat Lost sessions 2": "TestResume_runsAfterReconnectWithoutRecovery TestResume_repeatsUntilItCompletes TestResume_repeatsAfterFailedWrite",
	"chat Lost sessions 3": "TestFillGap_restoresTokensLostWithSession TestStream_yieldsFinalTextAsOneTokenAfterLostSession",
	"chat Lost sessions 4": "TestLostTimeout_endsStreamWithErrQuestionLost TestAskAgain_sendsSameQuestionAgain",

	"chat Backends without requestId 1": "TestStream_failsWithErrAmbiguousForConcurrentQuestions",
	"chat Backends without requestId 2": "TestAsk_waitsForAbandonedAnswer TestAbandonedTimeout_limitsWaitOfAsk",
	"chat Backends without requestId 3": "TestAsk_waitsForAnswerToSentMessage TestAsk_waitsForAnswerToOtherMember",
	"chat Backends without requestId 4": "TestStream_failsWithErrAmbiguousAfterAbandonedLaterQuestion",
	"chat Backends without requestId 5": "TestStream_failsWithErrAmbiguousOnSignOfMixedAnswers",

	"chat Sending 1": "TestSendError_hasStateOfConnection TestClient_methodsReturnExpectedErrorInEachPhase",
	"chat Sending 2": "TestAsk_keepsUnsentQuestionAcrossRuns",
	"chat Sending 3": "TestTyping_returnsErrNotReadyWithoutSession",

	"chat Delivery 1": "TestDeliver_resendsUntilAcknowledged TestDeliver_keepsGeneratedMessageIDAcrossAttempts TestDeliver_acceptsAcknowledgementOfAnyAttempt",
	"chat Delivery 2": "TestDeliver_sendsMessagesInCallOrder TestDeliverEvent_sharesQueueWithDeliver",
	"chat Delivery 3": "TestDeliver_returnsDeliveryError TestDeliver_doesNotResendWithSingleAttempt",
	"chat Delivery 4": "TestDeliver_returnsDeliveryError",

	"chat Rooms 1": "TestConfig_setsJoinEventAndPayload",
	"chat Rooms 2": "TestReady_waitsForJoinAcknowledgement TestRun_returnsJoinErrorOnRejectedJoin TestJoinTimeout_endsSessionAndRetries",
	"chat Rooms 3": "TestJoin_returnsRejectionWithoutEndingRun",
	"chat Rooms 4": "TestJoin_rejoinsRoomsAfterReconnect TestRun_endsWhenRejoinIsRejected TestJoinShared_leavesRoomAfterLastUse TestJoinShared_doesNotLeaveRoomOfJoin",
	"chat Rooms 5": "TestLeave_endsPendingJoinWithErrLeft TestLeave_cancelsJoinAfterReconnect",
	"chat Rooms 6": "TestJoinReply_mayLeaveAndJoinRooms TestJoin_joinsOnceWhileRoomsAreJoined",
	"chat Rooms 7": "TestInRoom_filtersEventsByRoom",
	"chat Rooms 8": "TestClient_methodsSendExpectedPayload",

	"chat Names 1": "TestSetNames_doesNotLoseOrDuplicateEvents TestMarkRead_usesEventNameOfNewSession",
	"chat Names 2": "TestDiscovery_runsBeforeJoinAndAppliesNames TestDiscovery_keepsKnownNamesOnTimeout",
	"chat Names 3": "TestDiscovery_appliesNamesToNextEvent",
	"chat Names 4": "TestDiscovery_acceptsPushedNames",
	"chat Names 5": "TestDecodeErrors_reportsInvalidPayloadsInsteadOfEvents",

	"chat Tools 1": "TestHandleTool_acknowledgesWithResult TestHandleTool_emitsResultEventWhenNoAckRequested",
	"chat Tools 2": "TestTools_limitsConcurrentAndPendingCalls",
	"chat Tools 3": "TestHandleTool_logsPanicWithoutSendingIt TestClient_continuesAfterFunctionOfUser",
	"chat Tools 4": "TestHandleTool_cancelsCallWhenRequestEnds",
	"chat Tools 5": "TestShutdown_letsToolsAndResumeSend",
}

var (
	manualSection   = regexp.MustCompile(`^// # (.+)`)
	manualStatement = regexp.MustCompile(`^//  ([0-9]+)\. `)
	testFunc        = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// Each numbered statement of a manual names its tests, and these tests exist.
func TestManuals_haveTestForEachStatement(t *testing.T) {
	var stated []string
	for _, pkg := range []string{"bus", "conn", "chat"} {
		manual, err := os.ReadFile(filepath.Join("..", pkg, "doc.go"))
		require.NoError(t, err)
		current := ""
		for line := range strings.Lines(string(manual)) {
			if m := manualSection.FindStringSubmatch(line); m != nil {
				current = m[1]
			} else if m := manualStatement.FindStringSubmatch(line); m != nil {
				stated = append(stated, fmt.Sprintf("%s %s %s", pkg, current, m[1]))
			}
		}
	}
	assert.ElementsMatch(t, stated, slices.Collect(maps.Keys(promises)))

	tests := map[string][]string{} // by package
	for statement, names := range promises {
		pkg, _, _ := strings.Cut(statement, " ")
		if tests[pkg] == nil {
			tests[pkg] = testsOf(t, pkg)
		}
		for name := range strings.FieldsSeq(names) {
			assert.Contains(t, tests[pkg], name, statement)
		}
	}
}

// testsOf returns the names of the tests of a package.
func testsOf(t *testing.T, pkg string) (names []string) {
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range testFunc.FindAllStringSubmatch(string(source), -1) {
			names = append(names, m[1])
		}
	}
	return names
}
