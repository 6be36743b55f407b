-- Everything the Redis store asks for that must happen at once: one script, so that there is one SHA to know. ARGV[1]
-- is the verb. Needs Redis 5 (streams; scripts replicated by their effects). The first write of each is one that Redis
-- refuses when its memory is full: once a script has written, it is let through to its end.
--
-- A channel has three keys with one hash tag (Redis Cluster: one slot):
--   KEYS[1] stream   id <seq>-0, fields d (data), k (idempotency key, may be empty), a (when, in us)
--   KEYS[2] hash     epoch, seq (newest), base (seq at which the epoch began), at (of the newest, in us),
--                    first (lowest kept), first_at, bytes (of what is kept)
--   KEYS[3] hash     idempotency key -> seq, of what is kept
-- A message is published as `m <epoch> <seq> <at> <length of key> <key><data>`, a new epoch as `e <epoch> <base>`.
local TRIM_EACH_PUBLISH = 64 -- messages removed at most: more than one is added, so it catches up
local READ_EACH_TIME = 32 -- messages read before their bytes are counted
local FIELDS = { 'epoch', 'seq', 'base', 'at', 'first', 'first_at', 'bytes' }
local verbs = {}

local function digits(n) -- tostring() would write 1e+15
	return string.format('%.0f', n)
end

local function entry(raw)
	local e = { seq = tonumber(string.match(raw[1], '^%d+')) }
	for i = 1, #raw[2], 2 do
		e[raw[2][i]] = raw[2][i + 1]
	end
	return e
end

local function write(c)
	redis.call('HSET', KEYS[2], 'epoch', c.epoch, 'seq', digits(c.seq), 'base', digits(c.base), 'at', c.at,
		'first', digits(c.first), 'first_at', c.first_at, 'bytes', digits(c.bytes))
	redis.call('PEXPIRE', KEYS[2], ARGV[6])
end

-- A new epoch. What survived is kept, with its keys: numbers go on, so that none is used twice in an epoch.
local function begin(c)
	c.epoch = ARGV[2]
	c.base = c.seq
	write(c)
	redis.call('PUBLISH', ARGV[7], 'e ' .. c.epoch .. ' ' .. digits(c.base))
	return c
end

-- Whether Redis has forgotten something the caller has seen: the seq is lower than his, or another message has it.
local function lost(c)
	local epoch, seq, at = ARGV[3], tonumber(ARGV[4]), ARGV[5]
	if epoch ~= c.epoch or c.seq < seq or at == '' then
		return epoch == c.epoch and c.seq < seq
	end
	local found = c.at
	if c.seq > seq then
		local raw = redis.call('XRANGE', KEYS[1], digits(seq) .. '-0', digits(seq) .. '-0')[1]
		found = raw and entry(raw).a or at -- trimmed: nothing to compare with
	end
	return found ~= at
end

-- The channel, made if need be. ARGV: 2 fresh epoch, 3..5 what the caller knows (epoch, seq, at or '' for no doubt),
-- 6 ms for which an idle channel's place is kept, 7 name of its events.
local function open()
	local values, c = redis.call('HMGET', KEYS[2], unpack(FIELDS)), {}
	for i, field in ipairs(FIELDS) do
		if not values[i] then
			c = begin({ seq = 0, at = '0', first = 1, first_at = '0', bytes = 0 })
			redis.call('DEL', KEYS[1], KEYS[3])
			return c
		end
		c[field] = values[i]
	end
	for _, field in ipairs({ 'seq', 'base', 'first', 'bytes' }) do
		c[field] = tonumber(c[field])
	end
	if c.first <= c.seq and redis.call('EXISTS', KEYS[1]) == 0 then -- it grew too old
		c.first, c.bytes, c.aged = c.seq + 1, 0, true
	end
	return lost(c) and begin(c) or c
end

-- Removes the oldest while there are too many, too old or too large ones; the newest stays.
local function trim(c, now)
	local max_count, max_age, max_bytes = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
	for _ = 1, TRIM_EACH_PUBLISH do
		local over = c.seq - c.first + 1 > max_count or c.bytes > max_bytes or
			(max_age > 0 and tonumber(c.first_at) < tonumber(now) - max_age)
		if not over or c.first >= c.seq then
			return
		end
		local two = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 2)
		if not two[2] then
			return
		end
		local oldest, second = entry(two[1]), entry(two[2])
		redis.call('XDEL', KEYS[1], two[1][1])
		if oldest.k ~= '' then
			redis.call('HDEL', KEYS[3], oldest.k)
		end
		c.bytes = math.max(0, c.bytes - #oldest.d - #oldest.k)
		c.first, c.first_at = second.seq, second.a
	end
end

-- 8 data, 9 key, 10 messages, 11 us and 12 bytes kept. Answers epoch, seq, at, 1 if the key was known.
function verbs.publish()
	local c, data, key = open(), ARGV[8], ARGV[9]
	if key ~= '' and not c.aged then
		local seq = redis.call('HGET', KEYS[3], key)
		if seq then
			return { c.epoch, seq, '0', 1 }
		end
	end
	local time = redis.call('TIME')
	local now = string.format('%s%06d', time[1], time[2])
	c.seq, c.at = c.seq + 1, now
	redis.call('XADD', KEYS[1], digits(c.seq) .. '-0', 'd', data, 'k', key, 'a', now)
	if c.aged then
		redis.call('DEL', KEYS[3])
	end
	if key ~= '' then
		redis.call('HSET', KEYS[3], key, digits(c.seq))
	end
	c.bytes = c.bytes + #data + #key
	if c.first == c.seq then
		c.first_at = now
	end
	trim(c, now)
	write(c)
	if tonumber(ARGV[11]) > 0 then
		local ms = digits(math.ceil(tonumber(ARGV[11]) / 1000))
		redis.call('PEXPIRE', KEYS[1], ms)
		redis.call('PEXPIRE', KEYS[3], ms)
	end
	redis.call('PUBLISH', ARGV[7], table.concat({ 'm', c.epoch, digits(c.seq), now, #key, key .. data }, ' '))
	return { c.epoch, digits(c.seq), now, 0 }
end

-- Where the channel is, with the messages 8 from .. 9 to, at most 10 of them and 11 bytes of data, but at least one.
-- Answers epoch, seq, base, at, first, { { seq, at, key, data }, ... }.
function verbs.look()
	local c, from, to = open(), tonumber(ARGV[8]), ARGV[9] .. '-0'
	local max_count, max_bytes = tonumber(ARGV[10]), tonumber(ARGV[11])
	local list, bytes = {}, 0
	local answer = { c.epoch, digits(c.seq), digits(c.base), c.at, digits(c.first), list }
	while #list < max_count do
		local want = math.min(READ_EACH_TIME, max_count - #list)
		local part = redis.call('XRANGE', KEYS[1], digits(from) .. '-0', to, 'COUNT', want)
		for _, raw in ipairs(part) do
			local e = entry(raw)
			bytes = bytes + #e.d
			if #list > 0 and bytes > max_bytes then
				return answer
			end
			list[#list + 1] = { digits(e.seq), e.a, e.k, e.d }
			from = e.seq + 1
		end
		if #part < want then
			break
		end
	end
	return answer
end

-- A session is KEYS[1]: hash of user, conn (who holds it, '' when it ended) and record (JSON).

-- 2 user, 3 conn, 4 ms to live, 5 channel of the notices, 6 id. Answers 1, record, who held it; or 0: not his.
function verbs.take()
	local v = redis.call('HMGET', KEYS[1], 'user', 'conn', 'record')
	if not v[1] or v[1] ~= ARGV[2] or not v[2] or not v[3] then
		return { 0 }
	end
	redis.call('HSET', KEYS[1], 'conn', ARGV[3])
	redis.call('PEXPIRE', KEYS[1], ARGV[4])
	if v[2] ~= '' and v[2] ~= ARGV[3] then
		redis.call('PUBLISH', ARGV[5], #v[2] .. ' ' .. #ARGV[3] .. ' ' .. v[2] .. ARGV[3] .. ARGV[6])
	end
	return { 1, v[3], v[2] }
end

-- 2 user, 3 conn, 4 ms to live, 5 record, 6 '1' when it ended, 7 '1' when it is new. What is gone is made again.
-- Answers 1, or 0 and who holds it.
function verbs.save()
	local holder = ARGV[7] ~= '1' and redis.call('HGET', KEYS[1], 'conn')
	if holder and holder ~= ARGV[3] then
		return { 0, holder }
	end
	redis.call('HSET', KEYS[1], 'user', ARGV[2], 'conn', ARGV[6] == '1' and '' or ARGV[3], 'record', ARGV[5])
	redis.call('PEXPIRE', KEYS[1], ARGV[4])
	return { 1 }
end

-- 2 conn, 3 ms to live: it is still in use. Answers 1, or 0 and who holds it, '' for nobody.
function verbs.hold()
	local holder = redis.call('HGET', KEYS[1], 'conn')
	if holder ~= ARGV[2] then
		return { 0, holder or '' }
	end
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
	return { 1 }
end

return verbs[ARGV[1]]()
