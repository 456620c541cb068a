-- SPDX-License-Identifier: Apache-2.0
--
-- What a policy may say: the manual of this site's policy files, and the file that defines their
-- words.  It is built into the kernel; policies/*.lua are the site's own and are read in the order
-- of their names.
--
-- A rule is asked before a guarded message is delivered:
--
--     rule {
--       name = "permitted-purpose",
--       subjects = { "cohort.*" },           -- what it is about; "cohort.*" is all of cohort
--       decide = function(q)
--         if not contains(settings.permitted_purposes, q.purpose) then
--           return deny("purpose '%s' is not permitted at this site", q.purpose)
--         end
--       end,
--     }
--
-- decide returns deny(...), permit(...), or nothing when the rule has no opinion.  The first deny
-- wins.  Without any permit the answer is no.  If several rules permit, the strictest (largest)
-- value of each obligation holds.  A rule that fails, runs too long or returns something else denies.
--
-- The question q:
--     q.subject              "cohort.count"
--     q.purpose              "scientific-research", "" when none was stated
--     q.permit               the data permit it rests on, "" when none; by then the kernel has
--                            looked it up in settings.yaml and found that it covers the question
--     q.principal.name       who asks: "alice@example.org", "local:root"
--     q.principal.role       "operator", "researcher", "plugin", "" when not known at this site
--     q.principal.via        "control" for this machine's command line, else a plugin's name
--     q.principal.asked_by   the local user when a request is made as somebody else, else ""
--     q.request_id           names the request in logs and ledger
--     q.message              the request itself, field by field (proto/cairn), or nil
--
-- The message of cohort.count is a CountRequest (proto/cairn/cohort.proto).  Enumerations read as
-- their names, lists count from 1, and what was not sent is nil (a message) or 0, "" and false:
--     q.message.level                           "PATIENT", "STUDY", "SERIES" or "INSTANCE"
--     q.message.expression.operand              "LEAF", "AND", "OR", "XOR", "NOT", "SAME", "ALL"
--     #q.message.expression.children            how many an AND or OR has
--     q.message.expression.leaf.attribute       "modality", of a LEAF
--     q.message.expression.leaf.values[1].text  "CT"
-- so that a rule may say
--     if q.message.level ~= "PATIENT" then
--       return deny("researchers count patients here, not %s", q.message.level:lower())
--     end
-- or look at every criterion, however deep it stands:
--     local function uses(expression, attribute)
--       if expression.leaf and expression.leaf.attribute == attribute then
--         return true
--       end
--       for _, child in ipairs(expression.children) do
--         if uses(child, attribute) then return true end
--       end
--       return false
--     end
--     if uses(q.message.expression, "model") then
--       return deny("nobody asks by scanner model here")
--     end
-- The message of imaging.import is an ImportRequest: #q.message.paths, q.message.paths[1].
-- `cairn policy ask` tries such a rule with an empty message.
--
-- settings is policies/settings.yaml.  A misspelt setting, field or name is an error, never nil.
--
-- Everything is read-only once a file is loaded, and nothing may be kept from one decision to the
-- next.  Of Lua there are: assert, error, ipairs, next, pairs, select, tonumber, tostring, type, and
-- from math, string and table what cannot run away; no patterns (find, gsub), but match and replace:
--     match(text, pattern)          Perl's regular expressions; the captures, the match, or nil
--     replace(text, pattern, by)    every match replaced by the text `by`
--     contains(list, value)         whether the list holds the value

local kernel = ...

local function check_fields(what, given, known, level)
	for field in pairs(given) do
		if not contains(known, field) then
			local near = kernel.nearest(tostring(field), known)
			local advice = near and string.format("; did you mean '%s'?", near) or ""
			error(string.format("%s: unknown field '%s'%s", what, tostring(field), advice), level + 1)
		end
	end
end

-- list(values): the values as text, with commas.
function list(values)
	return table.concat(values, ", ")
end

-- setting(name, kind): settings[name], checked when the policy is loaded.  Kinds are "whole number"
-- (from 0), "number", "text", "list", "map" and "true or false".
local kinds = {
	["whole number"] = function(value) return math.type(value) == "integer" and value >= 0 end,
	["number"] = function(value) return type(value) == "number" end,
	["text"] = function(value) return type(value) == "string" end,
	["list"] = function(value) return type(value) == "table" and (#value > 0 or next(value) == nil) end,
	["map"] = function(value) return type(value) == "table" and #value == 0 end,
	["true or false"] = function(value) return type(value) == "boolean" end,
}

function setting(name, kind)
	local value, line = kernel.find_setting(name)
	if value == nil then
		local advice = line and string.format("; did you mean '%s'?", line) or ""
		error(string.format("settings.yaml has no '%s'%s", name, advice), 2)
	end
	local check = kinds[kind]
	if not check then
		error(string.format("setting: there is no kind '%s'", tostring(kind)), 2)
	end
	if not check(value) then
		error(string.format("settings.yaml:%d: '%s' must be a %s", line, name, kind), 2)
	end
	return value
end

-- deny(reason, ...): the reason is what the person who asked will read; '%s' as in string.format.
function deny(reason, ...)
	if type(reason) ~= "string" or reason == "" then
		error("deny needs a reason", 2)
	end
	return { verdict = "deny", reason = string.format(reason, ...) }
end

-- permit(reason, ...), or permit { reason = "...", obligations = { min_cell = 10 } }: obligations
-- are whole numbers that whoever carries out the request must keep.
function permit(reason, ...)
	if type(reason) == "string" and reason ~= "" then
		return { verdict = "permit", reason = string.format(reason, ...) }
	end
	if type(reason) ~= "table" or type(reason.reason) ~= "string" or reason.reason == "" then
		error("permit needs a reason", 2)
	end
	check_fields("permit", reason, { "reason", "obligations" }, 2)
	for name, value in pairs(reason.obligations or {}) do
		if type(name) ~= "string" or math.type(value) ~= "integer" or value < 0 then
			error(string.format("permit: obligation '%s' must be a whole number from 0", tostring(name)), 2)
		end
	end
	return { verdict = "permit", reason = reason.reason, obligations = reason.obligations }
end

-- rule { name = ..., subjects = { ... }, decide = function(q) ... end }
function rule(fields)
	if type(fields) ~= "table" then
		error("rule needs a table: rule { name = ..., subjects = ..., decide = ... }", 2)
	end
	check_fields("rule", fields, { "name", "subjects", "decide" }, 2)
	local name = fields.name
	if type(name) ~= "string" or not match(name, "^[a-z][a-z0-9-]{0,39}$") then
		error("rule: name must be a word such as 'permitted-purpose'", 2)
	end
	if type(fields.subjects) ~= "table" then
		error(string.format("rule '%s': subjects must be a list such as { \"cohort.*\" }", name), 2)
	end
	if type(fields.decide) ~= "function" then
		error(string.format("rule '%s': decide must be a function(q)", name), 2)
	end
	local problem = kernel.register(name, fields.subjects, fields.decide)
	if problem then
		error(string.format("rule '%s': %s", name, problem), 2)
	end
end

-- Comparisons are made in Lua, so that a long sort counts as the work it is.
local sort = table.sort
local function is_less(a, b)
	return a < b
end

table.sort = function(values, less)
	return sort(values, less or is_less)
end
