package tally

// remember keeps a new file and its counter, and returns the place of that: below 0
// where there is no room.
func (t *Tally) remember(f file, of Key) int32 {
	if len(t.fileOf) >= t.room {
		return -1
	}
	if f.counter < 0 {
		f.counter = take(&t.counters, &t.spare)
		t.counters[f.counter] = counter{key: of}
		t.counterOf[of] = f.counter
	}
	place := take(&t.files, &t.unused)
	f.at = int32(len(t.ending))
	t.files[place], t.fileOf[f.key] = f, place
	t.ending = append(t.ending, place)
	t.rise(f.at)
	return f.counter
}

// take returns a place in a list: one that is free, or one more.
func take[T any](list *[]T, free *[]int32) int32 {
	if n := len(*free); n > 0 {
		place := (*free)[n-1]
		*free = (*free)[:n-1]
		return place
	}
	var none T
	*list = append(*list, none)
	return int32(len(*list) - 1)
}

// forget lets go of the files whose time is over.
func (t *Tally) forget() {
	for len(t.ending) > 0 && t.files[t.ending[0]].until <= t.now {
		place := t.ending[0]
		last := int32(len(t.ending) - 1)
		t.swap(0, last)
		t.ending = t.ending[:last]
		t.sink(0)

		f := &t.files[place]
		sum := &t.counters[f.counter]
		sum.files--
		if sum.bytes -= f.size(); sum.files == 0 {
			delete(t.counterOf, sum.key)
			t.spare = append(t.spare, f.counter)
		}
		delete(t.fileOf, f.key)
		t.unused = append(t.unused, place)
	}
}

// over returns how many files there are whose time is over, at and below a place of
// the heap, and adds up those of a counter.
func (t *Tally) over(of int32, now int64, at int, sum *counter) (n int) {
	if at >= len(t.ending) || t.files[t.ending[at]].until > now {
		return 0
	}
	if f := &t.files[t.ending[at]]; f.counter == of {
		sum.files++
		sum.bytes += f.size()
	}
	return 1 + t.over(of, now, 2*at+1, sum) + t.over(of, now, 2*at+2, sum)
}

// rise moves a file of the heap to the front as far as it ends before others.
func (t *Tally) rise(at int32) {
	for at > 0 {
		above := (at - 1) / 2
		if !t.before(at, above) {
			return
		}
		t.swap(at, above)
		at = above
	}
}

// sink moves it to the back as far as it ends after others.
func (t *Tally) sink(at int32) {
	for {
		below := 2*at + 1
		if below >= int32(len(t.ending)) {
			return
		}
		if right := below + 1; right < int32(len(t.ending)) && t.before(right, below) {
			below = right
		}
		if !t.before(below, at) {
			return
		}
		t.swap(at, below)
		at = below
	}
}

func (t *Tally) before(a, b int32) bool {
	return t.files[t.ending[a]].until < t.files[t.ending[b]].until
}

func (t *Tally) swap(a, b int32) {
	t.ending[a], t.ending[b] = t.ending[b], t.ending[a]
	t.files[t.ending[a]].at, t.files[t.ending[b]].at = a, b
}
