BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE alias_history (
	id INTEGER NOT NULL, 
	skill_id INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	from_version INTEGER, 
	to_version INTEGER, 
	at DATETIME NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_alias_history PRIMARY KEY (id), 
	CONSTRAINT fk_alias_history_skill_id FOREIGN KEY(skill_id) REFERENCES skills (id)
);
INSERT INTO "alias_history" VALUES(1,1,'live',NULL,1,'2025-11-21 15:39:22.898840','promote');
INSERT INTO "alias_history" VALUES(2,1,'live',1,2,'2025-11-21 15:39:22.947664','promote');
INSERT INTO "alias_history" VALUES(3,1,'candidate',NULL,3,'2025-11-21 15:39:22.963869','promote');
INSERT INTO "alias_history" VALUES(4,1,'live',2,1,'2025-11-21 15:39:22.973432','rollback');
INSERT INTO "alias_history" VALUES(5,2,'live',NULL,1,'2025-11-21 15:39:22.987514','promote');
INSERT INTO "alias_history" VALUES(6,3,'live',NULL,1,'2025-11-21 15:39:23.001635','promote');
INSERT INTO "alias_history" VALUES(7,3,'live',1,NULL,'2025-11-21 15:39:23.016483','delete');
CREATE TABLE audit_log (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	"by" VARCHAR(128) NOT NULL, 
	action VARCHAR(16) NOT NULL, 
	skill VARCHAR(64) NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	from_version INTEGER, 
	to_version INTEGER, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_audit_log PRIMARY KEY (id)
);
INSERT INTO "audit_log" VALUES(1,'2025-11-21 15:39:22.898840','ann','publish','banking','',NULL,1,'');
INSERT INTO "audit_log" VALUES(2,'2025-11-21 15:39:22.898840','ann','promote','banking','live',NULL,1,'');
INSERT INTO "audit_log" VALUES(3,'2025-11-21 15:39:22.947664','ann','publish','banking','',NULL,2,'');
INSERT INTO "audit_log" VALUES(4,'2025-11-21 15:39:22.947664','ann','promote','banking','live',1,2,'');
INSERT INTO "audit_log" VALUES(5,'2025-11-21 15:39:22.963869','ann','publish','banking','',NULL,3,'');
INSERT INTO "audit_log" VALUES(6,'2025-11-21 15:39:22.963869','ann','promote','banking','candidate',NULL,3,'');
INSERT INTO "audit_log" VALUES(7,'2025-11-21 15:39:22.973432','grpc:ipv4:10.0.0.7:41234','rollback','banking','live',2,1,'');
INSERT INTO "audit_log" VALUES(8,'2025-11-21 15:39:22.987514','ann','publish','travel','',NULL,1,'');
INSERT INTO "audit_log" VALUES(9,'2025-11-21 15:39:22.987514','ann','promote','travel','live',NULL,1,'');
INSERT INTO "audit_log" VALUES(10,'2025-11-21 15:39:23.001635','ann','publish','old','',NULL,1,'');
INSERT INTO "audit_log" VALUES(11,'2025-11-21 15:39:23.001635','ann','promote','old','live',NULL,1,'');
INSERT INTO "audit_log" VALUES(12,'2025-11-21 15:39:23.016483','ann','delete','old','live',1,NULL,'');
INSERT INTO "audit_log" VALUES(13,'2025-11-21 15:39:23.207400','bob','cancel','travel','',NULL,NULL,'job 4');
INSERT INTO "audit_log" VALUES(14,'2025-11-21 15:39:23.209647','ann','correct','banking','',NULL,NULL,'freeze_card');
INSERT INTO "audit_log" VALUES(15,'2025-11-21 15:39:23.217431','ann','traffic','banking','',NULL,NULL,'canary 0.25, shadow 1');
CREATE TABLE blob_chunks (
	sha256 VARCHAR(64) NOT NULL, 
	position INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_blob_chunks PRIMARY KEY (sha256, position), 
	CONSTRAINT fk_blob_chunks_sha256 FOREIGN KEY(sha256) REFERENCES blobs (sha256) ON DELETE CASCADE
);
INSERT INTO "blob_chunks" VALUES('7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d',0,X'66697273742074656E736F7273');
INSERT INTO "blob_chunks" VALUES('e32cddc602877d5e087cd78e1c790697d0d5b0a059b94d91762ae820f42e14c9',0,X'74686520726F7773206F662062616E6B696E674032');
INSERT INTO "blob_chunks" VALUES('44730aed8b09f5e701afc309ec5b099a0aa94f14f63d211c4ba66d50fb7d8343',0,X'7365636F6E642074656E736F7273');
INSERT INTO "blob_chunks" VALUES('843da5223e3bad892d26e98930a9e5fa197467c124cefb4069e5c3fc27c7f7d9',0,X'74686972642074656E736F7273');
INSERT INTO "blob_chunks" VALUES('fc11d6f28e59d3cc33c0b14ceb644bf0902ebd63d61218dffe9e7dac7c254542',0,X'78787878787878787878');
INSERT INTO "blob_chunks" VALUES('978092afe03291e7cfd3dfec3b159b70f4d94b64f1bdaa6353aa4206f29d8ab6',0,X'74686520726F7773206F662074726176656C');
INSERT INTO "blob_chunks" VALUES('ff0286be959433cd049fd753904139159152b89215543e6cc364bb551f7e96a4',0,X'6120636865636B706F696E74206F662074726176656C');
INSERT INTO "blob_chunks" VALUES('db60acebbf6b82f8dca96e6984f023727fd40611774e540835fabee1fbf419be',0,X'6D6F726520726F7773206F662062616E6B696E67');
CREATE TABLE blobs (
	sha256 VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	CONSTRAINT pk_blobs PRIMARY KEY (sha256)
);
INSERT INTO "blobs" VALUES('7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d',13);
INSERT INTO "blobs" VALUES('e32cddc602877d5e087cd78e1c790697d0d5b0a059b94d91762ae820f42e14c9',21);
INSERT INTO "blobs" VALUES('44730aed8b09f5e701afc309ec5b099a0aa94f14f63d211c4ba66d50fb7d8343',14);
INSERT INTO "blobs" VALUES('843da5223e3bad892d26e98930a9e5fa197467c124cefb4069e5c3fc27c7f7d9',13);
INSERT INTO "blobs" VALUES('fc11d6f28e59d3cc33c0b14ceb644bf0902ebd63d61218dffe9e7dac7c254542',10);
INSERT INTO "blobs" VALUES('978092afe03291e7cfd3dfec3b159b70f4d94b64f1bdaa6353aa4206f29d8ab6',18);
INSERT INTO "blobs" VALUES('ff0286be959433cd049fd753904139159152b89215543e6cc364bb551f7e96a4',22);
INSERT INTO "blobs" VALUES('db60acebbf6b82f8dca96e6984f023727fd40611774e540835fabee1fbf419be',20);
CREATE TABLE catalog_state (
	id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_catalog_state PRIMARY KEY (id), 
	CONSTRAINT ck_catalog_state_one_row CHECK (id = 1)
);
INSERT INTO "catalog_state" VALUES(1,9);
CREATE TABLE exemplars (
	id INTEGER NOT NULL, 
	skill_id INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	intent TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	"by" VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_exemplars PRIMARY KEY (id), 
	CONSTRAINT fk_exemplars_skill_id FOREIGN KEY(skill_id) REFERENCES skills (id)
);
INSERT INTO "exemplars" VALUES(1,1,'the plastic is in the freezer','freeze_card','2025-11-21 15:39:23.209647','ann');
CREATE TABLE jobs (
	id INTEGER NOT NULL, 
	skill VARCHAR(64) NOT NULL, 
	request JSON NOT NULL, 
	dataset VARCHAR(64) NOT NULL, 
	idempotency_key VARCHAR(64), 
	state VARCHAR(16) NOT NULL, 
	priority INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	max_attempts INTEGER NOT NULL, 
	not_before DATETIME NOT NULL, 
	is_cancel_requested BOOLEAN NOT NULL, 
	token INTEGER NOT NULL, 
	worker VARCHAR(128) NOT NULL, 
	lease_until DATETIME, 
	progress JSON NOT NULL, 
	checkpoint VARCHAR(64), 
	reason TEXT NOT NULL, 
	version INTEGER, 
	submitted_by VARCHAR(128) NOT NULL, 
	submitted_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT fk_jobs_dataset FOREIGN KEY(dataset) REFERENCES blobs (sha256), 
	CONSTRAINT fk_jobs_checkpoint FOREIGN KEY(checkpoint) REFERENCES blobs (sha256), 
	CONSTRAINT uq_jobs_idempotency_key UNIQUE (idempotency_key)
);
INSERT INTO "jobs" VALUES(1,'banking','{"skill": "banking", "kind": "intent", "config": {"epochs": 12}, "alias": "live", "gates": {}, "grown_from": ""}','e32cddc602877d5e087cd78e1c790697d0d5b0a059b94d91762ae820f42e14c9',NULL,'succeeded',0,1,1,'2025-11-21 15:39:22.940798',0,1,'worker-1',NULL,'{}',NULL,'',2,'ann','2025-11-21 15:39:22.940798','2025-11-21 15:39:22.940798','2025-11-21 15:39:22.947664');
INSERT INTO "jobs" VALUES(2,'travel','{"skill": "travel", "kind": "intent", "config": {}, "alias": "live", "gates": {}, "grown_from": ""}','978092afe03291e7cfd3dfec3b159b70f4d94b64f1bdaa6353aa4206f29d8ab6','nightly','running',2,1,3,'2025-11-21 15:39:23.025750',0,1,'worker-2','2025-11-21 15:40:23.064720','{"run": "tune", "step": 40, "steps": 200, "loss": 0.5, "dev_score": 0.75, "score_name": "accuracy", "seconds_left": 12.0}','ff0286be959433cd049fd753904139159152b89215543e6cc364bb551f7e96a4','',NULL,'grpc:ipv4:10.0.0.7:41234','2025-11-21 15:39:23.025750','2025-11-21 15:39:23.052749',NULL);
INSERT INTO "jobs" VALUES(3,'banking','{"skill": "banking", "kind": "intent", "config": {}, "alias": "live", "gates": {}, "grown_from": "banking@3"}','db60acebbf6b82f8dca96e6984f023727fd40611774e540835fabee1fbf419be',NULL,'queued',0,0,3,'2025-11-21 15:39:23.069324',0,0,'',NULL,'{}',NULL,'',NULL,'ann','2025-11-21 15:39:23.069324',NULL,NULL);
INSERT INTO "jobs" VALUES(4,'travel','{"skill": "travel", "kind": "intent", "config": {}, "alias": "live", "gates": {}, "grown_from": ""}','978092afe03291e7cfd3dfec3b159b70f4d94b64f1bdaa6353aa4206f29d8ab6',NULL,'cancelled',0,0,3,'2025-11-21 15:39:23.070835',1,0,'',NULL,'{}',NULL,'cancelled',NULL,'ann','2025-11-21 15:39:23.070835',NULL,'2025-11-21 15:39:23.207400');
CREATE TABLE skill_aliases (
	skill_id INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_skill_aliases PRIMARY KEY (skill_id, alias), 
	CONSTRAINT fk_skill_aliases_skill_id_version FOREIGN KEY(skill_id, version) REFERENCES skill_versions (skill_id, number)
);
INSERT INTO "skill_aliases" VALUES(1,'live',1);
INSERT INTO "skill_aliases" VALUES(1,'candidate',3);
INSERT INTO "skill_aliases" VALUES(2,'live',1);
CREATE TABLE skill_traffic (
	skill_id INTEGER NOT NULL, 
	canary DOUBLE NOT NULL, 
	shadow DOUBLE NOT NULL, 
	CONSTRAINT pk_skill_traffic PRIMARY KEY (skill_id), 
	CONSTRAINT fk_skill_traffic_skill_id FOREIGN KEY(skill_id) REFERENCES skills (id)
);
INSERT INTO "skill_traffic" VALUES(1,0.25,1.0);
CREATE TABLE skill_versions (
	skill_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	method VARCHAR(32) NOT NULL, 
	labels JSON NOT NULL, 
	backbone VARCHAR(64) NOT NULL, 
	head JSON NOT NULL, 
	calibration JSON NOT NULL, 
	metrics JSON NOT NULL, 
	provenance JSON NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_skill_versions PRIMARY KEY (skill_id, number), 
	CONSTRAINT fk_skill_versions_skill_id FOREIGN KEY(skill_id) REFERENCES skills (id), 
	CONSTRAINT fk_skill_versions_sha256 FOREIGN KEY(sha256) REFERENCES blobs (sha256)
);
INSERT INTO "skill_versions" VALUES(1,1,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.07, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.0, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "1.0", "seconds": 31.5}','7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d','2025-11-21 15:39:22.898840');
INSERT INTO "skill_versions" VALUES(1,2,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.07, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.0, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "1.0", "seconds": 31.5}','44730aed8b09f5e701afc309ec5b099a0aa94f14f63d211c4ba66d50fb7d8343','2025-11-21 15:39:22.947664');
INSERT INTO "skill_versions" VALUES(1,3,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.07, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.0, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "1.0", "seconds": 31.5}','843da5223e3bad892d26e98930a9e5fa197467c124cefb4069e5c3fc27c7f7d9','2025-11-21 15:39:22.963869');
INSERT INTO "skill_versions" VALUES(2,1,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.07, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.0, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "1.0", "seconds": 31.5}','7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d','2025-11-21 15:39:22.987514');
INSERT INTO "skill_versions" VALUES(3,1,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.07, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.0, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "1.0", "seconds": 31.5}','fc11d6f28e59d3cc33c0b14ceb644bf0902ebd63d61218dffe9e7dac7c254542','2025-11-21 15:39:23.001635');
CREATE TABLE skills (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	deleted_at DATETIME, last_version INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_skills PRIMARY KEY (id), 
	CONSTRAINT uq_skills_name UNIQUE (name)
);
INSERT INTO "skills" VALUES(1,'banking','intent','2025-11-21 15:39:22.898840',NULL,3);
INSERT INTO "skills" VALUES(2,'travel','intent','2025-11-21 15:39:22.987514',NULL,1);
INSERT INTO "skills" VALUES(3,'old','intent','2025-11-21 15:39:23.001635','2025-11-21 15:39:23.016483',1);
CREATE INDEX ix_alias_history_skill_id_alias ON alias_history (skill_id, alias);
CREATE INDEX ix_skill_versions_sha256 ON skill_versions (sha256);
CREATE INDEX ix_jobs_state_priority_id ON jobs (state, priority, id);
CREATE INDEX ix_jobs_dataset ON jobs (dataset);
CREATE INDEX ix_jobs_checkpoint ON jobs (checkpoint);
CREATE INDEX ix_exemplars_skill_id ON exemplars (skill_id);
CREATE INDEX ix_audit_log_skill_id ON audit_log (skill, id);
COMMIT;
