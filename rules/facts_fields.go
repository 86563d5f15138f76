package rules

// membersOf returns the members of an event that fields of the variable event are
// read from.
func membersOf(fields []*eventField) []string {
	members := make([]string, 0, len(fields))
	for _, f := range fields {
		switch f.name {
		case "path", "folder", "name", "extension":
			members = append(members, "file")
		case "checksum":
			members = append(members, "file_csum")
		case "checksum_type":
			members = append(members, "file_csum_type")
		default:
			members = append(members, f.name)
		}
	}
	return members
}
