// The events between a chat client and its backend.
// Generated from package events of Parley by make generate; do not edit.

/** A string or an integer. JavaScript loses digits of integers beyond 2^53: send those as strings. */
export type ID = string | number;

/** Every payload may have these. requestId connects a question with all events that answer it. */
export interface Envelope {
  chatId?: ID;
  traceId?: string;
  requestId?: string;
}

/** UserMessage is a message from a user. */
export interface UserMessage extends Envelope {
  messageId: string;
  userId: ID;
  text: string;
  parts?: Part[];
}

/** Typing reports that a user has started or stopped typing. */
export interface Typing extends Envelope {
  userId: ID;
}

/** Abort asks the server to stop the answer to the request RequestID. */
export interface Abort extends Envelope {
  reason?: string;
}

/** Read reports that a user has read messages. */
export interface Read extends Envelope {
  userId: ID;
  messageIds: string[];
  readAt: string;
}

/** ChatMessage is a message from a person in the chat. */
export interface ChatMessage extends Envelope {
  messageId: string;
  userId: ID;
  text: string;
  createdAt: string;
}

/** Presence lists the users who are online in the chat. */
export interface Presence extends Envelope {
  onlineUserIds: ID[];
}

/** AIProcessing reports the server's progress with an answer. */
export interface AIProcessing extends Envelope {
  status: "queued" | "working" | "retrying";
  etaMs?: number;
  reason?: string;
}

/** AIToken is the next piece of a streamed answer. */
export interface AIToken extends Envelope {
  token: string;
  index: number;
  done?: false;
}

/** AIMessage is the complete answer. */
export interface AIMessage extends Envelope {
  messageId: string;
  role: "assistant";
  text: string;
  createdAt: string;
  usage?: Usage;
  options?: string[];
}

/** AIError reports that the answer failed. */
export interface AIError extends Envelope {
  code?: string;
  message: string;
  details?: unknown;
}

/** AIToolCall reports that the AI calls a tool. */
export interface AIToolCall extends Envelope {
  callId: string;
  toolName: string;
  args: unknown;
}

/** AIToolResult reports the result of a tool. */
export interface AIToolResult extends Envelope {
  callId: string;
  toolName: string;
  result: unknown;
}

/** Part is an attachment of a message. */
export interface Part {
  type: "text" | "image" | "file";
  value: unknown;
}

/** Usage is the number of tokens that an answer used. */
export interface Usage {
  promptTokens?: number;
  completionTokens?: number;
  totalTokens?: number;
}

/** chatId, and all members that the client is configured to add. */
export interface Join extends Envelope {
  [member: string]: unknown;
}

/** The default name of each event, by its key. */
export const EventNames = {
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
} as const;

export type EventKey = keyof typeof EventNames;

/** The events that a client sends, by default name. */
export interface ToServer {
  "chat:join": Join;
  "user:message": UserMessage;
  "user:typingStart": Typing;
  "user:typingStop": Typing;
  "ai:abort": Abort;
  "chat:read": Read;
  "chat:leave": Join;
  "meta:events:request": Join;
}

/** The events that the server sends, by default name. */
export interface FromServer {
  "chat:message": ChatMessage;
  "presence:update": Presence;
  "ai:processing": AIProcessing;
  "ai:token": AIToken;
  "ai:message": AIMessage;
  "ai:error": AIError;
  "ai:tool_call": AIToolCall;
  "ai:tool_result": AIToolResult;
  "meta:events:response": Partial<Record<EventKey, string>>;
  "error": unknown;
}

/** Both directions. */
export interface ChatEvents extends ToServer, FromServer {}

/** An event map for socket.io: new Server<Listeners<ToServer>, Listeners<FromServer>>(). */
export type Listeners<Map> = {
  [Name in keyof Map]: (payload: Map[Name], acknowledge?: (reply?: unknown) => void) => void;
};
