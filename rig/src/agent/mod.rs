//! The controller's end of the conversation with a guest agent.
//!
//! Holds the handshake, assignments, deadlines and every reason for which a conversation ends badly; works over any stream.
//! Must not know SSH, QEMU or namespaces. Units: `Duration`.
//! Errors: `AgentError`; it blames the agent or its guest and makes a block void, never an outcome.
//! Tests: beside the module, against scripted agents.
