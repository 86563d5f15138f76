// Package aspera knows the configuration of IBM Aspera transfer servers: it reads
// aspera.conf, says what in it lets files pass that nobody has validated, or ends
// transfers, and writes the settings that a policy set needs. It touches no server,
// and knows of policies only what its callers say in Needs.
package aspera
