// Package natsbus carries what a chat client hears past one machine, on NATS
// JetStream. One instance holds the socket and forwards; a fleet subscribes.
package natsbus
