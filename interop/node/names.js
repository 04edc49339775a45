// The name of each event of the contract.
const defaults = {
  JOIN: "chat:join",
  USER_MESSAGE: "user:message",
  USER_TYPING_START: "user:typingStart",
  USER_TYPING_STOP: "user:typingStop",
  AI_ABORT: "ai:abort",
  CHAT_READ: "chat:read",
  CHAT_MESSAGE: "chat:message",
  PRESENCE_UPDATE: "presence:update",
  AI_PROCESSING: "ai:processing",
  AI_TOKEN: "ai:token",
  AI_MESSAGE: "ai:message",
  AI_ERROR: "ai:error",
  AI_TOOL_CALL: "ai:tool_call",
  AI_TOOL_RESULT: "ai:tool_result",
};

// NAMES, a JSON object from key to name, renames events in both directions.
export const names = { ...defaults, ...JSON.parse(process.env.NAMES ?? "{}") };
